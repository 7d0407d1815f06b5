// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pthread.h>

namespace nsgx::loader {

// Starts a thread that ends with the process. Returns whether there is one.
inline bool StartDetachedThread(void* (*function)(void*), void* argument) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread;
  const bool created = pthread_create(&thread, &attributes, function, argument) == 0;
  pthread_attr_destroy(&attributes);
  return created;
}

}  // namespace nsgx::loader
