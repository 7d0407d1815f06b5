// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way to VMPL0: the SVSM calling convention over the MSR protocol of the GHCB.
 *
 * The kernel has functions for this, but exports none. Its GHCB pages are its own affair; the MSR
 * protocol needs none.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bits.h>
#include <linux/cc_platform.h>
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <asm/msr.h>

#include "seh_call.h"
#include "vmpl-switch/abi/ghcb.h"
#include "vmpl-switch/abi/snp.h"
#include "vmpl-switch/abi/svsm.h"

/* How often the host is asked anew when it did not run VMPL0. */
#define HOST_ATTEMPTS 3
/* How long the SVSM may be busy with the same thing. */
#define BUSY_TIMEOUT (10 * HZ)

static bool read_msr(u32 msr, u64 *value)
{
	u32 low, high;

	if (rdmsr_safe(msr, &low, &high))
		return false;
	*value = (u64)high << 32 | low;
	return true;
}

static void write_ghcb_msr(u64 value)
{
	wrmsr(SNP_MSR_GHCB, lower_32_bits(value), upper_32_bits(value));
}

/*
 * This processor's calling area, or NULL. The address is the kernel's: its #VC handler answers the
 * read. Called with interrupts off, which are to stay off for as long as the area is used.
 */
static struct svsm_calling_area *calling_area(void)
{
	u64 address;

	if (!read_msr(SNP_MSR_SVSM_CAA, &address) || !address || offset_in_page(address) ||
	    !pfn_valid(address >> PAGE_SHIFT))
		return NULL;
	return phys_to_virt(address);
}

/* The instruction, with the registers that travel. */
static __always_inline void vmgexit(u64 *rax, struct seh_arguments *arguments)
{
	/* Nothing may come between these and the instruction: it could use the registers. */
	register u64 r8 asm("r8") = arguments->r8;
	register u64 r9 asm("r9") = arguments->r9;

	asm volatile("rep; vmmcall"
		     : "+a"(*rax), "+c"(arguments->rcx), "+d"(arguments->rdx), "+r"(r8), "+r"(r9)
		     :
		     : "memory", "cc");
	arguments->r8 = r8;
	arguments->r9 = r9;
}

/* One switch to VMPL0 and back. Returns whether the call was served; @exit is copied from the
 * calling area. */
static bool switch_to_vmpl0(u64 *rax, struct seh_arguments *arguments, struct nsgx_seh_exit *exit)
{
	struct seh_arguments now = *arguments;
	struct svsm_calling_area *area;
	u64 ghcb, response = 0;
	unsigned long flags;
	bool served = false;

	local_irq_save(flags);
	area = calling_area();
	if (!area || !read_msr(SNP_MSR_GHCB, &ghcb))
		goto out;

	/*
	 * An NMI whose handler needs the GHCB could come between these lines and leave its own page
	 * in the MSR. The host then finds no request in it, nobody serves the call, and that shows
	 * below.
	 */
	WRITE_ONCE(area->call_pending, 1);
	write_ghcb_msr(GHCB_MSR_RUN_VMPL_REQUEST);
	vmgexit(rax, &now);
	read_msr(SNP_MSR_GHCB, &response);
	write_ghcb_msr(ghcb);

	/* Only the SVSM clears it; it and the registers are where the host cannot write. */
	served = xchg(&area->call_pending, 0) == 0;
	if (served && exit)
		memcpy(exit, area->buffer, sizeof(*exit));
	if (!served)
		pr_warn_ratelimited("the host did not run VMPL0 (answer %#llx)\n", response);
out:
	local_irq_restore(flags);
	if (served)
		*arguments = now;
	return served;
}

static int translate(u32 result)
{
	switch (result) {
	case SVSM_SUCCESS:
		return 0;
	case SVSM_INCOMPLETE:
		return -EAGAIN;
	case SVSM_BUSY:
		return -EBUSY;
	case SVSM_UNSUPPORTED_PROTOCOL:
	case SVSM_UNSUPPORTED_CALL:
		return -EOPNOTSUPP;
	case SVSM_INVALID_ADDRESS:
		return -EFAULT;
	case SVSM_INVALID_FORMAT:
	case SVSM_INVALID_PARAMETER:
	case SVSM_INVALID_REQUEST:
		return -EINVAL;
	}
	if (result > SVSM_PROTOCOL_RESULT && result <= SVSM_PROTOCOL_RESULT + NSGX_CANCELLED)
		return result - SVSM_PROTOCOL_RESULT;
	return -EPROTO;
}

void seh_breathe(void)
{
	/* The enclave's turn is no sleep for RCU: say that this thread holds nothing. */
	cond_resched_tasks_rcu_qs();
}

static int issue(u64 call, struct seh_arguments *arguments, struct nsgx_seh_exit *exit)
{
	unsigned long deadline = jiffies + BUSY_TIMEOUT;
	int refusals = 0;

	for (;;) {
		struct seh_arguments now = *arguments;
		u64 rax = call;
		int result;

		if (!switch_to_vmpl0(&rax, &now, exit)) {
			if (++refusals == HOST_ATTEMPTS)
				return -EIO;
			seh_breathe();
			continue;
		}
		result = translate(lower_32_bits(rax));
		if (result != -EBUSY || time_after(jiffies, deadline)) {
			*arguments = now;
			return result;
		}
		seh_breathe();
	}
}

int seh_call(u32 call, struct seh_arguments *arguments)
{
	return issue(SVSM_CALL(NSGX_SEH_PROTOCOL, call), arguments, NULL);
}

u32 seh_pages_done(int result, const struct seh_arguments *arguments, u32 count)
{
	/* Results of the protocol come with a number; errors of the SVSM leave the argument there.
	 */
	if (result < 0 && result != -EAGAIN)
		return 0;
	return min_t(u64, arguments->rcx, count);
}

int seh_enter(struct seh_arguments *arguments, struct nsgx_seh_exit *exit)
{
	return issue(SVSM_CALL(NSGX_SEH_PROTOCOL, NSGX_SEH_ENTER), arguments, exit);
}

int seh_call_to_end(u32 call, u64 rcx, u64 rdx, u64 r8)
{
	int result;

	do {
		struct seh_arguments arguments = { .rcx = rcx, .rdx = rdx, .r8 = r8 };

		result = seh_call(call, &arguments);
		seh_breathe();
	} while (result == -EAGAIN);
	return result;
}

/* Does this processor have a calling area? Without one a call would go nowhere. */
static bool has_calling_area(void)
{
	unsigned long flags;
	bool found;

	local_irq_save(flags);
	found = calling_area() != NULL;
	local_irq_restore(flags);
	return found;
}

int seh_probe(void)
{
	struct seh_arguments arguments = {
		.rcx = (u64)NSGX_SEH_PROTOCOL << 32 | NSGX_SEH_VERSION,
	};
	int result;

	if (!cc_platform_has(CC_ATTR_GUEST_SEV_SNP)) {
		pr_err("this is no SEV-SNP guest; enclaves need one that was started by the SEH\n");
		return -ENODEV;
	}
	if (!has_calling_area()) {
		pr_err("this SEV-SNP guest has no SVSM above it; enclaves need one that was "
		       "started by the SEH\n");
		return -ENODEV;
	}
	result = issue(SVSM_CALL(SVSM_PROTOCOL_CORE, SVSM_CORE_QUERY_PROTOCOL), &arguments, NULL);
	if (result) {
		pr_err("the SVSM does not say which protocols it knows (error %d)\n", result);
		return -ENODEV;
	}
	if (!arguments.rcx) {
		pr_err("the SVSM is not the SEH: it does not know protocol %#x, version %u\n",
		       NSGX_SEH_PROTOCOL, NSGX_SEH_VERSION);
		return -ENODEV;
	}
	return 0;
}
