// SPDX-License-Identifier: GPL-2.0-only
/*
 * keep_key MESSAGE: reads a key of 16 bytes from standard input into memory that the
 * kernel cannot reach, and prints the message's authentication code under it
 * (SipHash-2-4).
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static void rounds(uint64_t v[4], int number)
{
	while (number--) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32) + v[3];
		v[2] += v[1];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

static uint64_t sign(const void *key, const char *message)
{
	uint64_t k[2], v[4], word;
	size_t length = strlen(message), at;

	memcpy(k, key, sizeof(k));
	v[0] = k[0] ^ 0x736f6d6570736575;
	v[1] = k[1] ^ 0x646f72616e646f6d;
	v[2] = k[0] ^ 0x6c7967656e657261;
	v[3] = k[1] ^ 0x7465646279746573;
	for (at = 0; at <= length; at += 8) {
		size_t part = length - at < 8 ? length - at : 8;

		word = part < 8 ? (uint64_t)length << 56 : 0;
		memcpy(&word, message + at, part);
		v[3] ^= word;
		rounds(v, 2);
		v[0] ^= word;
	}
	v[2] ^= 0xff;
	rounds(v, 4);
	explicit_bzero(k, sizeof(k));
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

int main(int argc, char **argv)
{
	const char *message = argc > 1 ? argv[1] : "";

	/* The ten lines that README.md shows. */
	int fd = open("/dev/mmkit_secret", O_RDWR | O_CLOEXEC);
	void *key = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (key == MAP_FAILED)
		return 1;		/* not loaded, not permitted, or above a limit */
	close(fd);			/* the mapping is enough */
	if (read(STDIN_FILENO, key, 16) != 16)
		return 1;
	printf("%016llx\n", (unsigned long long)sign(key, message));
	munmap(key, 4096);		/* scrubbed: also by exit, exec and SIGKILL */
	return 0;
}
