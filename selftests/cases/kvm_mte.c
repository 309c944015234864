// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm_mte: makes a virtual machine whose memory can have tags, says "yes" and keeps it
 * until killed; "no ERRNO" when that is refused. "kvm_mte cpu" keeps a CPU of it only.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifndef KVM_CAP_ARM_MTE
#define KVM_CAP_ARM_MTE 205
#endif

int main(int argc, char **argv)
{
	struct kvm_enable_cap mte = { .cap = KVM_CAP_ARM_MTE };
	int kvm, vm;

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0) {
		perror("no virtual machine");
		return 2;
	}
	if (ioctl(vm, KVM_ENABLE_CAP, &mte)) {
		printf("no %d\n", errno);
		return 1;
	}
	if (argc > 1 && !strcmp(argv[1], "cpu")) {
		if (ioctl(vm, KVM_CREATE_VCPU, 0) < 0) {
			perror("no CPU");
			return 2;
		}
		close(vm);
	}
	puts("yes");
	fflush(stdout);
	for (;;)
		pause();
}
