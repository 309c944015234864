// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long a command takes: run_time COMMAND... prints nanoseconds, which are
 * instructions in a guest whose clock counts them. What the command prints goes
 * where this program's errors go.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static unsigned long long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

int main(int argc, char **argv)
{
	unsigned long long begin = now();
	pid_t child;
	int status;

	if (argc < 2)
		return 2;
	child = fork();
	if (child < 0) {
		perror("fork");
		return 1;
	}
	if (child == 0) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execvp(argv[1], argv + 1);
		perror(argv[1]);
		_exit(127);
	}
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return 1;
	printf("%llu\n", now() - begin);
	return WEXITSTATUS(status);
}
