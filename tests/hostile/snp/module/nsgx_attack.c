// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a hostile kernel at VMPL1 can try while an enclave of somebody else is alive. For tests.
 *
 * /dev/nsgx_attack: reading it makes all attacks that leave the machine alive, one line an attack:
 * name, blank, outcome. Writing a name makes one that is meant to end it. Mapping it maps physical
 * memory, for attacks by programs.
 *
 * Pages of the enclave are those that nsgx.ko has lent: it marks them as offline.
 */
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pfn.h>
#include <linux/seq_file.h>
#include <linux/set_memory.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <asm/msr.h>

#include "vmpl-switch/abi/ghcb.h"
#include "vmpl-switch/abi/seh_calls.h"
#include "vmpl-switch/abi/snp.h"
#include "vmpl-switch/abi/svsm.h"

#define SEH_START 0x8000000ul
#define SEH_END 0x9000000ul
#define MONITOR_START 0x3c000000ul
#define MAX_NUMBER 0x10000u /* where an enclave is looked for */
#define FAULT (~0ull) /* what an instruction that faulted leaves */

/* ---- instructions that may fault ---- */

static bool can_read(const void *address, u64 *value)
{
	bool done = false;

	asm volatile("1: mov (%2), %1\n"
		     "   movb $1, %0\n"
		     "2:\n" _ASM_EXTABLE(1b, 2b)
		     : "+q"(done), "=&r"(*value)
		     : "r"(address)
		     : "memory");
	return done;
}

static bool can_write(void *address, u64 value)
{
	bool done = false;

	asm volatile("1: mov %1, (%2)\n"
		     "   movb $1, %0\n"
		     "2:\n" _ASM_EXTABLE(1b, 2b)
		     : "+q"(done)
		     : "r"(value), "r"(address)
		     : "memory");
	return done;
}

static u64 rmpadjust(void *address, u64 attributes)
{
	u64 result = FAULT;
	u64 rax = (u64)address;

	asm volatile("1: .byte 0xf3, 0x0f, 0x01, 0xfe\n"
		     "   mov %%rax, %0\n"
		     "2:\n" _ASM_EXTABLE(1b, 2b)
		     : "+r"(result), "+a"(rax)
		     : "c"(0ul), "d"(attributes)
		     : "memory", "cc");
	return result;
}

static u64 pvalidate(void *address, u32 validate)
{
	u64 result = FAULT;
	u64 rax = (u64)address;

	asm volatile("1: .byte 0xf2, 0x0f, 0x01, 0xff\n"
		     "   mov %%rax, %0\n"
		     "2:\n" _ASM_EXTABLE(1b, 2b)
		     : "+r"(result), "+a"(rax)
		     : "c"(0ul), "d"((u64)validate)
		     : "memory", "cc");
	return result;
}

/* ---- the way to VMPL0 ---- */

struct registers {
	u64 rax, rcx, rdx, r8, r9;
};

static u64 calling_area_address(void)
{
	u64 address;

	rdmsrl(SNP_MSR_SVSM_CAA, address);
	return address;
}

/* One VMGEXIT with @request in the GHCB MSR. Returns the answer there. */
static noinline u64 exit_with(u64 request, u8 call_pending, struct registers *registers)
{
	struct svsm_calling_area *area;
	unsigned long flags;
	u64 ghcb, answer;

	local_irq_save(flags);
	area = phys_to_virt(calling_area_address());
	rdmsrl(SNP_MSR_GHCB, ghcb);
	WRITE_ONCE(area->call_pending, call_pending);
	wrmsrl(SNP_MSR_GHCB, request);
	{
		register u64 r8 asm("r8") = registers->r8;
		register u64 r9 asm("r9") = registers->r9;

		asm volatile("rep; vmmcall"
			     : "+a"(registers->rax), "+c"(registers->rcx), "+d"(registers->rdx),
			       "+r"(r8), "+r"(r9)
			     :
			     : "memory", "cc");
		registers->r8 = r8;
		registers->r9 = r9;
	}
	rdmsrl(SNP_MSR_GHCB, answer);
	wrmsrl(SNP_MSR_GHCB, ghcb);
	WRITE_ONCE(area->call_pending, 0);
	local_irq_restore(flags);
	return answer;
}

static u64 call(u64 number, struct registers *registers)
{
	struct registers now;

	/* A call that changes nothing before it is interrupted is made anew. */
	do {
		now = *registers;
		now.rax = number;
		exit_with(GHCB_MSR_RUN_VMPL_REQUEST, 1, &now);
	} while ((u32)now.rax == SVSM_BUSY);
	*registers = now;
	return (u32)now.rax;
}

static u64 seh_call(u32 number, u64 rcx, u64 rdx, u64 r8, u64 r9)
{
	struct registers registers = { .rcx = rcx, .rdx = rdx, .r8 = r8, .r9 = r9 };

	return call(SVSM_CALL(NSGX_SEH_PROTOCOL, number), &registers);
}

static u64 core_call(u32 number, u64 rcx, u64 rdx, u64 r8)
{
	struct registers registers = { .rcx = rcx, .rdx = rdx, .r8 = r8 };

	return call(SVSM_CALL(SVSM_PROTOCOL_CORE, number), &registers);
}

/* ---- what is attacked ---- */

struct victims {
	u32 enclave; /* its number */
	unsigned long pages; /* of it */
	u64 page; /* one of them */
	u64 other_page; /* the next one */
	void *seh; /* the SEH's region */
	struct nsgx_seh_list *list;
	u8 *scratch; /* pages of our own */
	u8 *shared;
};

static bool is_lent(unsigned long pfn)
{
	return pfn_valid(pfn) && PageOffline(pfn_to_page(pfn));
}

static u64 next_lent(u64 address)
{
	unsigned long pfn;

	for (pfn = PFN_DOWN(address); pfn < PFN_DOWN(MONITOR_START); pfn++)
		if (is_lent(pfn))
			return PFN_PHYS(pfn);
	return 0;
}

static void find_enclave(struct victims *victims)
{
	u32 number;

	for (number = 1; number <= MAX_NUMBER && !victims->enclave; number++)
		if (!seh_call(NSGX_SEH_INFO, number, virt_to_phys(victims->scratch), 0, 0))
			victims->enclave = number;
	victims->page = next_lent(0);
	victims->other_page = next_lent(victims->page + PAGE_SIZE);
}

static void forget(struct victims *victims)
{
	if (victims->seh)
		iounmap((void __iomem *)victims->seh);
	if (victims->shared && !set_memory_encrypted((unsigned long)victims->shared, 1))
		free_page((unsigned long)victims->shared);
	free_pages((unsigned long)victims->scratch, 2);
	free_page((unsigned long)victims->list);
}

static int find(struct victims *victims)
{
	u8 *shared = (void *)get_zeroed_page(GFP_KERNEL);

	victims->list = (void *)get_zeroed_page(GFP_KERNEL);
	victims->scratch = (void *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, 2);
	victims->seh = (void *)ioremap_encrypted(SEH_START, SEH_END - SEH_START);
	if (!shared || !victims->list || !victims->scratch || !victims->seh)
		return -ENOMEM;
	if (set_memory_decrypted((unsigned long)shared, 1))
		return -EIO;
	victims->shared = shared;
	find_enclave(victims);
	return victims->enclave && victims->other_page ? 0 : -ENODEV;
}

static void say(struct seq_file *out, const char *name, u64 outcome)
{
	if (outcome == FAULT)
		seq_printf(out, "%s fault\n", name);
	else
		seq_printf(out, "%s %#llx\n", name, outcome);
}

/* ---- memory ---- */

/*
 * How many of these pages can be read, and written. Some behind the first are guards that are not
 * validated; Linux ends itself when it touches one.
 */
#define SEH_FIRST_PAGES (4 * PAGE_SIZE)
#define SEH_ITS_OWN (1ul << 20)

static u64 next_of_seh(u64 offset)
{
	return offset + PAGE_SIZE == SEH_FIRST_PAGES ? SEH_ITS_OWN : offset + PAGE_SIZE;
}

static void touch_seh(struct seq_file *out, struct victims *victims)
{
	unsigned long reads = 0, writes = 0;
	u64 offset, value;

	for (offset = 0; offset < SEH_END - SEH_START; offset = next_of_seh(offset))
		reads += can_read(victims->seh + offset, &value);
	for (offset = 0; offset < SEH_FIRST_PAGES; offset += PAGE_SIZE)
		writes += can_write(victims->seh + offset, 0);
	say(out, "seh.read", reads);
	say(out, "seh.write", writes);
}

static void touch_enclave(struct seq_file *out, struct victims *victims)
{
	unsigned long reads = 0, writes = 0;
	u64 address, value;

	for (address = next_lent(0); address; address = next_lent(address + PAGE_SIZE)) {
		victims->pages++;
		reads += can_read(phys_to_virt(address), &value);
		if (victims->pages % 16 == 0)
			writes += can_write(phys_to_virt(address), 0);
	}
	say(out, "enclave.has_pages", victims->pages > 100);
	say(out, "enclave.read", reads);
	say(out, "enclave.write", writes);
}

/* The same page by another address, with and without the C-bit. */
static void touch_alias(struct seq_file *out, struct victims *victims)
{
	struct page *page = pfn_to_page(PFN_DOWN(victims->page));
	void *alias;
	u64 value;

	alias = vmap(&page, 1, VM_MAP, PAGE_KERNEL);
	if (alias) {
		say(out, "enclave.alias_private", can_read(alias, &value));
		vunmap(alias);
	}
	alias = vmap(&page, 1, VM_MAP, pgprot_decrypted(PAGE_KERNEL));
	if (alias) {
		say(out, "enclave.alias_shared", can_read(alias, &value));
		say(out, "enclave.alias_shared_write", can_write(alias, 0));
		vunmap(alias);
	}
}

static void touch_monitor(struct seq_file *out)
{
	void *monitor = (void *)ioremap_encrypted(MONITOR_START, PAGE_SIZE);
	u64 value;

	if (!monitor)
		return;
	say(out, "monitor.read", can_read(monitor, &value));
	say(out, "monitor.write", can_write(monitor, 0));
	iounmap((void __iomem *)monitor);
}

/* ---- instructions of the processor ---- */

static void change_rights(struct seq_file *out, struct victims *victims)
{
	void *page = phys_to_virt(victims->page);

	say(out, "enclave.rmpadjust_vmpl1", rmpadjust(page, SNP_RMPADJUST(1, SNP_RIGHTS_ALL)));
	say(out, "enclave.rmpadjust_vmpl2", rmpadjust(page, SNP_RMPADJUST(2, SNP_RIGHTS_ALL)));
	say(out, "seh.rmpadjust_vmpl1", rmpadjust(victims->seh, SNP_RMPADJUST(1, SNP_RIGHTS_ALL)));
	say(out, "own.rmpadjust_vmsa",
	    rmpadjust(victims->scratch, SNP_RMPADJUST(1, 0) | SNP_RMPADJUST_VMSA));
	say(out, "enclave.pvalidate", pvalidate(page, 1));
	say(out, "enclave.unvalidate", pvalidate(page, 0));
	say(out, "seh.unvalidate", pvalidate(victims->seh, 0));
	say(out, "own.unvalidate", pvalidate(victims->scratch, 0));
}

/* ---- calls ---- */

static u64 pvalidate_call(struct victims *victims, u64 entry)
{
	u64 *words = (u64 *)victims->list;

	memset(victims->list, 0, PAGE_SIZE);
	words[0] = 1; /* struct svsm_pvalidate_header: one entry */
	words[1] = entry;
	return core_call(SVSM_CORE_PVALIDATE, virt_to_phys(victims->list), 0, 0);
}

static void validate_pages(struct seq_file *out, struct victims *victims)
{
	u64 own = virt_to_phys(victims->scratch);
	u64 area = calling_area_address();
	u64 validate = SVSM_PVALIDATE_VALIDATE | SVSM_PVALIDATE_IGNORE_CF;

	say(out, "pvalidate.seh", pvalidate_call(victims, SEH_START | validate));
	say(out, "pvalidate.seh_rescind", pvalidate_call(victims, SEH_START));
	say(out, "pvalidate.seh_large", pvalidate_call(victims, SEH_START | SNP_SIZE_2M));
	say(out, "pvalidate.enclave", pvalidate_call(victims, victims->page | validate));
	say(out, "pvalidate.enclave_rescind", pvalidate_call(victims, victims->page));
	say(out, "pvalidate.calling_area_rescind", pvalidate_call(victims, area));
	say(out, "pvalidate.twice", pvalidate_call(victims, own | SVSM_PVALIDATE_VALIDATE));
	say(out, "pvalidate.monitor", pvalidate_call(victims, MONITOR_START | validate));
	say(out, "pvalidate.device", pvalidate_call(victims, 0xfee00000ull | validate));
	say(out, "pvalidate.c_bit", pvalidate_call(victims, own | 1ull << 47 | validate));
	say(out, "pvalidate.highest", pvalidate_call(victims, ~0xfffull | validate));
	say(out, "pvalidate.reserved", pvalidate_call(victims, own | 0x10));
	say(out, "pvalidate.large_unaligned",
	    pvalidate_call(victims, (SEH_START + PAGE_SIZE) | SNP_SIZE_2M));
	say(out, "pvalidate.list_in_seh", core_call(SVSM_CORE_PVALIDATE, SEH_START, 0, 0));
	say(out, "pvalidate.list_in_enclave", core_call(SVSM_CORE_PVALIDATE, victims->page, 0, 0));
	say(out, "pvalidate.list_unaligned", core_call(SVSM_CORE_PVALIDATE, own + 1, 0, 0));
	say(out, "pvalidate.list_highest", core_call(SVSM_CORE_PVALIDATE, ~7ull, 0, 0));
}

static u64 donate(struct victims *victims, u64 page)
{
	memset(victims->list, 0, PAGE_SIZE);
	victims->list->count = 1;
	victims->list->pages[0] = page;
	return seh_call(NSGX_SEH_DONATE, victims->enclave, virt_to_phys(victims->list), 0, 0);
}

static void donate_wrong(struct seq_file *out, struct victims *victims)
{
	u64 own = virt_to_phys(victims->scratch);
	u64 list = virt_to_phys(victims->list);
	u32 me = victims->enclave;

	say(out, "donate.seh", donate(victims, SEH_START));
	say(out, "donate.seh_last", donate(victims, SEH_END - PAGE_SIZE));
	say(out, "donate.enclave", donate(victims, victims->page));
	say(out, "donate.calling_area", donate(victims, calling_area_address()));
	say(out, "donate.shared", donate(victims, virt_to_phys(victims->shared)));
	say(out, "donate.monitor", donate(victims, MONITOR_START));
	say(out, "donate.device", donate(victims, 0xfee00000ull));
	say(out, "donate.screen", donate(victims, 0xa0000ull));
	say(out, "donate.c_bit", donate(victims, own | 1ull << 47));
	say(out, "donate.highest", donate(victims, ~0xfffull));
	say(out, "donate.unaligned", donate(victims, own + 8));
	say(out, "donate.low_bit", donate(victims, own | 1));
	say(out, "donate.list_in_seh", seh_call(NSGX_SEH_DONATE, me, SEH_START, 0, 0));
	say(out, "donate.list_in_enclave", seh_call(NSGX_SEH_DONATE, me, victims->page, 0, 0));
	say(out, "donate.list_unaligned", seh_call(NSGX_SEH_DONATE, me, list + 8, 0, 0));
	say(out, "donate.list_highest", seh_call(NSGX_SEH_DONATE, me, ~0xfffull, 0, 0));
	say(out, "donate.no_enclave", seh_call(NSGX_SEH_DONATE, 0, list, 0, 0));
	say(out, "donate.wide_enclave", seh_call(NSGX_SEH_DONATE, me | 1ull << 32, list, 0, 0));
	memset(victims->list, 0xff, PAGE_SIZE);
	say(out, "donate.many", seh_call(NSGX_SEH_DONATE, me, list, 0, 0));
}

static void wrong_arguments(struct seq_file *out, struct victims *victims)
{
	u64 own = virt_to_phys(victims->scratch);
	u32 me = victims->enclave;

	say(out, "call.info_to_seh", seh_call(NSGX_SEH_INFO, me, SEH_START, 0, 0));
	say(out, "call.info_to_enclave", seh_call(NSGX_SEH_INFO, me, victims->page, 0, 0));
	say(out, "call.reclaim_to_seh", seh_call(NSGX_SEH_RECLAIM, me, SEH_START, 0, 0));
	say(out, "call.reclaim_to_enclave", seh_call(NSGX_SEH_RECLAIM, me, victims->page, 0, 0));
	say(out, "call.create_in_seh", seh_call(NSGX_SEH_CREATE, SEH_START, 0, 0, 0));
	memset(victims->list, 0, PAGE_SIZE);
	victims->list->count = 1;
	victims->list->pages[0] = own;
	say(out, "call.add_after_init",
	    seh_call(NSGX_SEH_ADD_PAGES, me, 0, 3, virt_to_phys(victims->list)));
	say(out, "call.add_zero_after_init", seh_call(NSGX_SEH_ADD_ZERO_PAGES, me, 0, 7, 1));
	say(out, "call.debug_read", seh_call(NSGX_SEH_DEBUG_READ, me, 0x10000000000ull, own, 8));
	say(out, "call.debug_write", seh_call(NSGX_SEH_DEBUG_WRITE, me, 0x10000000000ull, own, 8));
	say(out, "call.unknown", seh_call(NSGX_SEH_LAST_CALL + 1, me, 0, 0, 0));
	say(out, "call.remap_area_to_seh", core_call(SVSM_CORE_REMAP_CA, SEH_START, 0, 0));
	say(out, "call.remap_area_to_enclave", core_call(SVSM_CORE_REMAP_CA, victims->page, 0, 0));
	say(out, "call.remap_area_unaligned", core_call(SVSM_CORE_REMAP_CA, own + 1, 0, 0));
}

/* Gives a page away by a list in that page, and looks what a reclaim brings back. */
static void donate_and_reclaim(struct seq_file *out, struct victims *victims)
{
	struct nsgx_seh_list *mine = (void *)get_zeroed_page(GFP_KERNEL);
	u64 address = virt_to_phys(mine);
	unsigned long not_zero = 0, back = 0, round, i;
	bool is_mine_back = false;
	u64 value;

	mine->count = 1;
	mine->pages[0] = address;
	memset(mine->pages + 1, 0xa5, 64);
	say(out, "donate.its_list", seh_call(NSGX_SEH_DONATE, victims->enclave, address, 0, 0));
	say(out, "donate.its_list_read", can_read(mine, &value));
	for (round = 0; round < 8 && !is_mine_back; round++) {
		struct registers registers = { .rcx = victims->enclave,
					       .rdx = virt_to_phys(victims->list) };
		u64 result = call(SVSM_CALL(NSGX_SEH_PROTOCOL, NSGX_SEH_RECLAIM), &registers);

		if (result || !registers.rcx)
			break;
		back = min_t(u64, registers.rcx, NSGX_SEH_LIST_PAGES);
		for (i = 0; i < back; i++) {
			u64 *words = phys_to_virt(victims->list->pages[i]);
			unsigned long j;

			is_mine_back |= victims->list->pages[i] == address;
			for (j = 0; j < PAGE_SIZE / sizeof(*words); j++)
				if (!can_read(words + j, &value) || value)
					break;
			not_zero += j != PAGE_SIZE / sizeof(*words);
		}
		/* What is nsgx.ko's goes back, and ours with it: it would miss its pages. */
		victims->list->count = back;
		for (i = 0; i < back;) {
			if (victims->list->pages[i] == address)
				victims->list->pages[i] = victims->list->pages[--back];
			else
				i++;
		}
		victims->list->count = back;
		while (back) {
			registers = (struct registers){ .rcx = victims->enclave,
							.rdx = virt_to_phys(victims->list) };
			result = call(SVSM_CALL(NSGX_SEH_PROTOCOL, NSGX_SEH_DONATE), &registers);
			if (result && result != SVSM_INCOMPLETE)
				break;
			back -= min_t(u64, registers.rcx, back);
			memmove(victims->list->pages, victims->list->pages + registers.rcx,
				back * sizeof(u64));
			victims->list->count = back;
		}
	}
	say(out, "reclaim.brings_it_back", is_mine_back);
	say(out, "reclaim.not_zero", not_zero);
	if (is_mine_back)
		free_page((unsigned long)mine);
}

/* ---- processors ---- */

static u64 create_vcpu(struct victims *victims, u64 vmsa, u64 area)
{
	return core_call(SVSM_CORE_CREATE_VCPU, vmsa, area, 0);
}

static void make_processors(struct seq_file *out, struct victims *victims)
{
	struct snp_vmsa *vmsa = (void *)victims->scratch + PAGE_SIZE;
	u64 address = virt_to_phys(vmsa), area = address + PAGE_SIZE;
	u64 value;

	*vmsa = (struct snp_vmsa){ .vmpl = 0,
				   .efer = SNP_EFER_SVME,
				   .sev_features = SNP_FEATURE_SNP };
	say(out, "vcpu.vmpl0", create_vcpu(victims, address, area));
	vmsa->vmpl = 1;
	vmsa->efer = 0;
	say(out, "vcpu.efer", create_vcpu(victims, address, area));
	vmsa->efer = SNP_EFER_SVME;
	vmsa->sev_features = 0;
	say(out, "vcpu.no_snp", create_vcpu(victims, address, area));
	vmsa->sev_features = SNP_FEATURE_SNP | 1u << 5;
	say(out, "vcpu.debug_swap", create_vcpu(victims, address, area));
	vmsa->sev_features = SNP_FEATURE_SNP;
	vmsa->virtual_tom = 1ull << 46;
	say(out, "vcpu.vtom", create_vcpu(victims, address, area));
	vmsa->virtual_tom = 0;
	say(out, "vcpu.in_seh", create_vcpu(victims, SEH_START + PAGE_SIZE, area));
	say(out, "vcpu.in_enclave", create_vcpu(victims, victims->page, area));
	say(out, "vcpu.area_in_seh", create_vcpu(victims, address, SEH_START));
	say(out, "vcpu.area_is_vmsa", create_vcpu(victims, address, address));
	/* A refusal gives the page back. */
	say(out, "vcpu.refused_is_ours", can_write(vmsa, 0));
	say(out, "vcpu.good", create_vcpu(victims, address, area));
	say(out, "vmsa.read", can_read(vmsa, &value));
	say(out, "vmsa.write", can_write(&vmsa->vmpl, 0));
	say(out, "vmsa.rmpadjust", rmpadjust(vmsa, SNP_RMPADJUST(1, SNP_RIGHTS_ALL)));
	say(out, "vmsa.donate", donate(victims, address));
	say(out, "vmsa.rescind", pvalidate_call(victims, address));
	say(out, "vmsa.again", create_vcpu(victims, address, area));
	say(out, "vcpu.delete", core_call(SVSM_CORE_DELETE_VCPU, address, 0, 0));
	say(out, "vcpu.delete_again", core_call(SVSM_CORE_DELETE_VCPU, address, 0, 0));
	say(out, "vcpu.delete_seh", core_call(SVSM_CORE_DELETE_VCPU, SEH_START, 0, 0));
}

/* ---- switches ---- */

static void switch_wrongly(struct seq_file *out, struct victims *victims)
{
	const u64 query = SVSM_CALL(NSGX_SEH_PROTOCOL, NSGX_SEH_QUERY);
	struct registers registers = { .rax = query };
	u64 vmpl;

	exit_with(GHCB_MSR_RUN_VMPL_REQUEST, 0, &registers);
	say(out, "switch.not_pending_is_served", registers.rax != query);
	registers.rax = query;
	exit_with(GHCB_MSR_RUN_VMPL_REQUEST, 2, &registers);
	say(out, "switch.pending_two_is_served", registers.rax != query);
	for (vmpl = 2; vmpl < 5; vmpl++)
		if (exit_with(GHCB_MSR_RUN_VMPL_REQUEST | vmpl << 32, 0, &registers) >> 32 == 0)
			break;
	say(out, "switch.to_other_vmpls_is_refused", vmpl == 5);
}

/* ---- devices ---- */

struct fw_cfg_access {
	__be32 control, length;
	__be64 address;
};

/* Has QEMU write its signature to @address. Returns its answer: 0, or 1: an error. */
static u64 fw_cfg_dma(struct victims *victims, u64 descriptor, u64 address)
{
	struct fw_cfg_access *access = (void *)victims->shared;

	/* Select item 0 and read. */
	access->control = cpu_to_be32(1u << 3 | 1u << 1);
	access->length = cpu_to_be32(4);
	access->address = cpu_to_be64(address);
	outl(swab32(upper_32_bits(descriptor)), 0x514);
	outl(swab32(lower_32_bits(descriptor)), 0x518);
	return be32_to_cpu(READ_ONCE(access->control));
}

static void attack_by_dma(struct seq_file *out, struct victims *victims)
{
	u64 shared = virt_to_phys(victims->shared);

	say(out, "dma.to_shared", fw_cfg_dma(victims, shared, shared + 64));
	say(out, "dma.to_shared_works", !memcmp(victims->shared + 64, "QEMU", 4));
	say(out, "dma.to_enclave", fw_cfg_dma(victims, shared, victims->page));
	say(out, "dma.to_seh", fw_cfg_dma(victims, shared, SEH_START));
	say(out, "dma.to_monitor", fw_cfg_dma(victims, shared, MONITOR_START));
	say(out, "dma.to_private", fw_cfg_dma(victims, shared, virt_to_phys(victims->scratch)));
	say(out, "dma.over_the_end", fw_cfg_dma(victims, shared, shared + PAGE_SIZE - 2));
}

static int attack_all(struct seq_file *out, void *unused)
{
	struct victims victims = {};
	int result = find(&victims);

	if (!result) {
		touch_seh(out, &victims);
		touch_enclave(out, &victims);
		touch_alias(out, &victims);
		touch_monitor(out);
		change_rights(out, &victims);
		validate_pages(out, &victims);
		donate_wrong(out, &victims);
		wrong_arguments(out, &victims);
		make_processors(out, &victims);
		switch_wrongly(out, &victims);
		attack_by_dma(out, &victims);
		donate_and_reclaim(out, &victims);
		seq_puts(out, "end 0x0\n");
	}
	forget(&victims);
	return result;
}

/* ---- attacks that end the machine ---- */

/* A page table in an enclave's page: the processor would read it for us. */
static void walk_through(u64 page)
{
	u64 cr3 = __read_cr3();
	u64 *root = phys_to_virt(cr3 & PHYSICAL_PAGE_MASK);

	/* An entry of the lower half: nobody else's in a kernel thread's write. */
	WRITE_ONCE(root[255], __sme_set(page) | _PAGE_TABLE);
	asm volatile("mov %%cr3, %%rax; mov %%rax, %%cr3" : : : "rax", "memory");
	stac();
	READ_ONCE(*(u64 *)(255ull << 39));
	clac();
}

static void share_lent_pages(void)
{
	struct registers registers = {};
	u64 page;

	/* As the host could, too. */
	for (page = next_lent(0); page; page = next_lent(page + PAGE_SIZE))
		exit_with(GHCB_MSR_PAGE_STATE_REQUEST | (u64)GHCB_PAGE_SHARED << 52 | page, 0,
			  &registers);
}

static ssize_t attack_one(struct file *file, const char __user *text, size_t size, loff_t *offset)
{
	char name[32] = {};

	if (size >= sizeof(name) || copy_from_user(name, text, size))
		return -EINVAL;
	strim(name);
	if (!strcmp(name, "walk"))
		walk_through(next_lent(0));
	else if (!strcmp(name, "share"))
		share_lent_pages();
	else
		return -EINVAL;
	return size;
}

/* ---- programs' way to physical memory ---- */

static int map_memory(struct file *file, struct vm_area_struct *vma)
{
	unsigned long pfn = vma->vm_pgoff;

	/* In place of an address: a page of an enclave. */
	if (!pfn)
		pfn = PFN_DOWN(next_lent(0));
	return remap_pfn_range(vma, vma->vm_start, pfn, vma->vm_end - vma->vm_start,
			       vma->vm_page_prot);
}

static int attack_open(struct inode *inode, struct file *file)
{
	return single_open_size(file, attack_all, NULL, 16 * PAGE_SIZE);
}

static const struct file_operations attack_operations = {
	.owner = THIS_MODULE,
	.open = attack_open,
	.read = seq_read,
	.write = attack_one,
	.llseek = seq_lseek,
	.release = single_release,
	.mmap = map_memory,
};

static struct miscdevice attack_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "nsgx_attack",
	.fops = &attack_operations,
	.mode = 0600,
};

static int __init attack_start(void)
{
	return misc_register(&attack_device);
}

static void __exit attack_stop(void)
{
	misc_deregister(&attack_device);
}

module_init(attack_start);
module_exit(attack_stop);

MODULE_DESCRIPTION("Attacks on the NSGX security enclave hypervisor, for its tests");
MODULE_AUTHOR("The NSGX authors");
MODULE_LICENSE("GPL");
