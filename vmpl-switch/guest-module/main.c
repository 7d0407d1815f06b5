// SPDX-License-Identifier: GPL-2.0-only
/*
 * nsgx: enclaves for programs of an unmodified Linux that runs under the SEH of NSGX, as an AMD
 * SEV-SNP guest at VMPL1.
 *
 * This module is not trusted by enclaves. It moves memory, time and messages between the SEH and
 * the loader.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/miscdevice.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/reboot.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "accounts.h"
#include "enclave.h"
#include "nsgx_ioctl.h"
#include "seh_call.h"

/* For certificates; a chain has three of some 1.5 KiB. */
#define MAX_CERTIFICATE_PAGES 16u

static int nsgx_open(struct inode *inode, struct file *file)
{
	struct enclave *enclave = enclave_open();

	if (IS_ERR(enclave))
		return PTR_ERR(enclave);
	file->private_data = enclave;
	return nonseekable_open(inode, file);
}

static int nsgx_release(struct inode *inode, struct file *file)
{
	enclave_close(file->private_data);
	return 0;
}

static int nsgx_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct enclave *enclave = file->private_data;

	return window_map(&enclave->window, vma);
}

static long query(struct nsgx_device_query *query)
{
	struct seh_arguments arguments = {};
	int result = seh_call(NSGX_SEH_QUERY, &arguments);

	if (result)
		return result;
	*query = (struct nsgx_device_query){
		.version = NSGX_DEVICE_VERSION,
		.seh_version = arguments.rcx,
		.enclaves = arguments.rdx,
		.max_enclaves = arguments.r8,
		.enclave_pages = arguments.r9,
		.module_pages = accounts_charged(),
		.max_pages = accounts_limit(),
		.lost_pages = accounts_lost(),
	};
	return 0;
}

/* Fills the list with fresh pages. Returns how many. */
static u32 fill_list(struct nsgx_seh_list *list, u32 count)
{
	for (list->count = 0; list->count < count; list->count++) {
		void *page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);

		if (!page)
			break;
		list->pages[list->count] = virt_to_phys(page);
	}
	return list->count;
}

static long certificates(struct nsgx_device_buffer *buffer)
{
	u8 __user *to = u64_to_user_ptr(buffer->address);
	struct seh_arguments arguments;
	struct nsgx_seh_list *list;
	u32 count, i;
	u64 left;
	long result;

	list = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!list)
		return -ENOMEM;
	count = fill_list(list, MAX_CERTIFICATE_PAGES);
	if (count < MAX_CERTIFICATE_PAGES) {
		result = -ENOMEM;
		goto out;
	}
	do {
		arguments = (struct seh_arguments){ .rcx = virt_to_phys(list) };
		result = seh_call(NSGX_SEH_CERTIFICATES, &arguments);
		seh_breathe();
	} while (result == -EAGAIN);
	if (result)
		goto out;
	left = min3(arguments.rcx, buffer->size, (u64)count * PAGE_SIZE);
	buffer->size = arguments.rcx;
	for (i = 0; left; i++) {
		u64 part = min_t(u64, left, PAGE_SIZE);

		if (copy_to_user(to, phys_to_virt(list->pages[i]), part)) {
			result = -EFAULT;
			break;
		}
		to += part;
		left -= part;
	}
out:
	for (i = 0; i < count; i++)
		free_page((unsigned long)phys_to_virt(list->pages[i]));
	free_page((unsigned long)list);
	return result;
}

union argument {
	struct nsgx_device_query query;
	struct nsgx_device_create create;
	struct nsgx_device_add add;
	struct nsgx_device_init init;
	struct nsgx_device_enter enter;
	struct nsgx_device_tick tick;
	struct nsgx_device_buffer buffer;
	struct nsgx_device_debug debug;
};

static long dispatch(struct enclave *enclave, unsigned int command, union argument *argument)
{
	switch (command) {
	case NSGX_DEVICE_QUERY:
		return query(&argument->query);
	case NSGX_DEVICE_CREATE:
		return enclave_create(enclave, &argument->create);
	case NSGX_DEVICE_ADD:
		return enclave_add(enclave, &argument->add);
	case NSGX_DEVICE_INIT:
		return enclave_init(enclave, &argument->init);
	case NSGX_DEVICE_ENTER:
		return enclave_enter(enclave, &argument->enter);
	case NSGX_DEVICE_SET_TICK:
		return enclave_set_tick(enclave, &argument->tick);
	case NSGX_DEVICE_INFO:
		return enclave_info(enclave, &argument->buffer);
	case NSGX_DEVICE_CERTIFICATES:
		return certificates(&argument->buffer);
	case NSGX_DEVICE_DESTROY:
		return enclave_destroy(enclave);
	case NSGX_DEVICE_DEBUG:
		return enclave_debug(enclave, &argument->debug);
	default:
		return -ENOTTY;
	}
}

/* The number says how large its argument is, and which way it goes: copy it in, serve, copy it out.
 */
static long nsgx_ioctl(struct file *file, unsigned int command, unsigned long address)
{
	void __user *user = (void __user *)address;
	unsigned int size = _IOC_SIZE(command);
	union argument argument;
	long result;

	if (_IOC_TYPE(command) != NSGX_DEVICE_MAGIC || size > sizeof(argument))
		return -ENOTTY;
	memset(&argument, 0, sizeof(argument));
	if (_IOC_DIR(command) & _IOC_WRITE && copy_from_user(&argument, user, size))
		return -EFAULT;
	result = dispatch(file->private_data, command, &argument);
	if (_IOC_DIR(command) & _IOC_READ && result != -ENOTTY && result != -ERESTARTSYS &&
	    copy_to_user(user, &argument, size))
		return -EFAULT;
	return result;
}

static const struct file_operations nsgx_operations = {
	.owner = THIS_MODULE,
	.open = nsgx_open,
	.release = nsgx_release,
	.unlocked_ioctl = nsgx_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = nsgx_mmap,
};

static struct miscdevice nsgx_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "nsgx",
	.fops = &nsgx_operations,
	.mode = 0600,
};

/* Before a reboot, power-off or kexec: what comes next may not find anything of an enclave. */
static int on_reboot(struct notifier_block *block, unsigned long action, void *data)
{
	enclave_shutdown_all();
	return NOTIFY_DONE;
}

static struct notifier_block reboot_block = {
	.notifier_call = on_reboot,
	/* Late: other drivers may still have work for programs that run in enclaves. */
	.priority = -1,
};

static int __init nsgx_start(void)
{
	int result = seh_probe();

	if (result)
		return result;
	result = register_reboot_notifier(&reboot_block);
	if (result)
		return result;
	result = misc_register(&nsgx_device);
	if (result)
		unregister_reboot_notifier(&reboot_block);
	return result;
}

/* No file is open, hence there is no enclave. */
static void __exit nsgx_stop(void)
{
	misc_deregister(&nsgx_device);
	unregister_reboot_notifier(&reboot_block);
}

module_init(nsgx_start);
module_exit(nsgx_stop);

MODULE_DESCRIPTION("Enclaves of the NSGX security enclave hypervisor");
MODULE_AUTHOR("The NSGX authors");
MODULE_LICENSE("GPL");
MODULE_VERSION("1.0");
