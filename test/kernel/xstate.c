/*
 * Preloaded into User Mode Linux 6.x on processors with AMX.
 *
 * User Mode Linux keeps the vector registers of each guest process in a buffer sized for AVX-512
 * and gives them back to the host with PTRACE_SETREGSET. The host accepts a register set only at
 * its full length, which AMX made four times as long, and answers EFAULT to the shorter one: the
 * guest kernel panics before init. Here a short set is completed with the process's present
 * registers first. The bytes beyond the guest's are the tile registers, which it never touches.
 */
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static char area[1 << 16];

static long complete_and_set(pid_t pid, const struct iovec *set)
{
	struct iovec whole = { area, sizeof area };

	if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &whole) < 0)
		return -1;
	memcpy(area, set->iov_base, set->iov_len < whole.iov_len ? set->iov_len : whole.iov_len);
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &whole);
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list arguments;
	va_start(arguments, request);
	pid_t pid = va_arg(arguments, pid_t);
	void *address = va_arg(arguments, void *);
	void *data = va_arg(arguments, void *);
	va_end(arguments);

	switch (request) {
	case PTRACE_SETREGSET:
		if ((long)address == NT_X86_XSTATE)
			return complete_and_set(pid, data);
		break;
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
	case PTRACE_PEEKUSER: {
		/* The C library returns the word itself; the system call stores it. */
		long word = 0;
		if (syscall(SYS_ptrace, request, pid, address, &word) < 0)
			return -1;
		errno = 0;
		return word;
	}
	default:
		break;
	}
	return syscall(SYS_ptrace, request, pid, address, data);
}
