// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads a module by exactly one system call: load_once FILE [PARAMETER=VALUE...].
 * The exit status is the errno of that call, so a case can ask for it; the
 * insmod of busybox tries twice and so makes the kernel say everything twice.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char params[4096] = "";
	int fd, i;

	if (argc < 2)
		return 255;
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		perror(argv[1]);
		return 255;
	}
	for (i = 2; i < argc; i++) {
		if (strlen(params) + strlen(argv[i]) + 2 > sizeof(params))
			return 255;
		strcat(params, argv[i]);
		strcat(params, " ");
	}
	return syscall(SYS_finit_module, fd, params, 0) ? errno : 0;
}
