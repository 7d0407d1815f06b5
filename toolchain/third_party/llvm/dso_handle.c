/* SPDX-License-Identifier: Apache-2.0 */
/* Names the image in registrations of destructors. There is only one image, so its address is all
 * that matters. */
extern void* __dso_handle;
__attribute__((visibility("hidden"))) void* __dso_handle = 0;
