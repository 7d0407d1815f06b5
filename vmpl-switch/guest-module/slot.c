// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entering a slot again and again until it leaves for a reason that is not ours, and the ticks.
 *
 * An interrupt for Linux ends the enclave's turn: the SEH returns, interrupts are let in, and the
 * slot is entered again. So an enclave that computes for a minute is, for Linux, a thread that does
 * so.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/nospec.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/time64.h>
#include <linux/version.h>

#include "enclave.h"
#include "seh_call.h"
#include "slot.h"

/* Below that Linux would do nothing but ticks. */
#define SHORTEST_TICK 100u
/* An enclave that wants more at once can ask again. */
#define MOST_PAGES_A_TIME 65536u

struct slot {
	struct hrtimer timer;
	raw_spinlock_t lock; /* taken in hard interrupts */
	struct task_struct *thread; /* under lock: who is in here now */
	bool tick_due; /* under lock: for the next entry */
	u32 microseconds; /* under lock: between ticks; 0: none */
};

static ktime_t period_of(u32 microseconds)
{
	return ns_to_ktime((u64)microseconds * NSEC_PER_USEC);
}

static enum hrtimer_restart on_tick(struct hrtimer *timer)
{
	struct slot *slot = container_of(timer, struct slot, timer);
	enum hrtimer_restart answer = HRTIMER_NORESTART;
	unsigned long flags;

	raw_spin_lock_irqsave(&slot->lock, flags);
	if (slot->microseconds) {
		slot->tick_due = true;
		/* On this processor the timer itself has ended the enclave's turn. */
		if (slot->thread)
			kick_process(slot->thread);
		hrtimer_forward_now(timer, period_of(slot->microseconds));
		answer = HRTIMER_RESTART;
	}
	raw_spin_unlock_irqrestore(&slot->lock, flags);
	return answer;
}

struct slot *slots_allocate(u32 count)
{
	struct slot *slots = kvcalloc(count, sizeof(*slots), GFP_KERNEL_ACCOUNT);
	u32 i;

	if (!slots)
		return NULL;
	for (i = 0; i < count; i++) {
		raw_spin_lock_init(&slots[i].lock);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
		hrtimer_setup(&slots[i].timer, on_tick, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
#else
		hrtimer_init(&slots[i].timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
		slots[i].timer.function = on_tick;
#endif
	}
	return slots;
}

void slots_free(struct slot *slots, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++)
		hrtimer_cancel(&slots[i].timer);
	kvfree(slots);
}

void slots_kick(struct enclave *enclave)
{
	u32 i;

	for (i = 0; i < enclave->slot_count; i++) {
		struct slot *slot = &enclave->slots[i];

		raw_spin_lock_irq(&slot->lock);
		if (slot->thread)
			kick_process(slot->thread);
		raw_spin_unlock_irq(&slot->lock);
	}
}

static struct slot *find_slot(struct enclave *enclave, u32 index)
{
	u32 count = smp_load_acquire(&enclave->slot_count);

	if (index >= count)
		return NULL;
	return &enclave->slots[array_index_nospec(index, count)];
}

/* Makes the slot the calling thread's; false: another thread is in it. */
static bool begin(struct slot *slot)
{
	bool is_free;

	raw_spin_lock_irq(&slot->lock);
	is_free = !slot->thread;
	if (is_free)
		slot->thread = current;
	raw_spin_unlock_irq(&slot->lock);
	return is_free;
}

static void end(struct slot *slot)
{
	raw_spin_lock_irq(&slot->lock);
	slot->thread = NULL;
	raw_spin_unlock_irq(&slot->lock);
}

static bool take_tick(struct slot *slot)
{
	bool due;

	raw_spin_lock_irq(&slot->lock);
	due = slot->tick_due;
	slot->tick_due = false;
	raw_spin_unlock_irq(&slot->lock);
	return due;
}

/* One turn. Returns as seh_enter(). */
static long take_turn(struct enclave *enclave, struct slot *slot,
		      const struct nsgx_device_enter *enter, struct nsgx_seh_exit *exit)
{
	long result;

	if (down_read_killable(&enclave->lifetime))
		return -EINTR;
	if (READ_ONCE(enclave->going_down)) {
		result = -ESHUTDOWN;
	} else if (enclave->state != ENCLAVE_RUNNING) {
		result = -EBADFD;
	} else {
		struct seh_arguments arguments = {
			.rcx = enclave->number | (u64)enter->slot << 32,
			.rdx = enter->answer,
			.r8 = take_tick(slot) ? NSGX_SEH_ENTER_TICK : 0,
		};

		result = seh_enter(&arguments, exit);
	}
	up_read(&enclave->lifetime);
	return result;
}

/* The enclave has no memory left. When Linux has none either, the enclave hears of it by being
 * entered all the same. */
static void give_pages(struct enclave *enclave, u64 wanted)
{
	unsigned long count = clamp_t(u64, wanted, 1, MOST_PAGES_A_TIME);

	mutex_lock(&enclave->control);
	if (enclave->state == ENCLAVE_RUNNING)
		lending_donate(&enclave->lending, enclave->number, count);
	mutex_unlock(&enclave->control);
}

static long run(struct enclave *enclave, struct slot *slot, struct nsgx_device_enter *enter)
{
	struct nsgx_seh_exit exit;

	for (;;) {
		long result = take_turn(enclave, slot, enter, &exit);
		bool is_interrupted = false;

		if (result && result != -EAGAIN)
			return result;
		if (result || exit.reason == NSGX_SEH_EXIT_INTERRUPTED) {
			is_interrupted = true;
		} else if (exit.reason == NSGX_SEH_EXIT_NO_PAGES) {
			give_pages(enclave, exit.arguments[0]);
			is_interrupted = true;
		}
		if (!is_interrupted)
			break;
		/* A signal handler may run now; entering again goes on where the slot was, whatever
		 * the answer. */
		if (signal_pending(current))
			return -ERESTARTSYS;
		seh_breathe();
	}
	if (exit.reason > NSGX_SEH_EXIT_REFUSED)
		return -EPROTO;
	enter->reason = exit.reason;
	enter->number = exit.number;
	memcpy(enter->arguments, exit.arguments, sizeof(enter->arguments));
	return 0;
}

long enclave_enter(struct enclave *enclave, struct nsgx_device_enter *enter)
{
	struct slot *slot = find_slot(enclave, enter->slot);
	long result;

	if (!slot)
		return -EINVAL;
	if (!begin(slot))
		return -EBUSY;
	result = run(enclave, slot, enter);
	end(slot);
	return result;
}

long enclave_set_tick(struct enclave *enclave, const struct nsgx_device_tick *tick)
{
	struct slot *slot = find_slot(enclave, tick->slot);

	if (!slot || (tick->microseconds && tick->microseconds < SHORTEST_TICK))
		return -EINVAL;
	mutex_lock(&enclave->control);
	hrtimer_cancel(&slot->timer);
	raw_spin_lock_irq(&slot->lock);
	slot->microseconds = tick->microseconds;
	if (!tick->microseconds)
		slot->tick_due = false;
	raw_spin_unlock_irq(&slot->lock);
	if (tick->microseconds)
		hrtimer_start(&slot->timer, period_of(tick->microseconds), HRTIMER_MODE_REL_HARD);
	mutex_unlock(&enclave->control);
	return 0;
}
