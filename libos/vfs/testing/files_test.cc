// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/testing/files_test.h"

#include "libos/fs/console/console.h"
#include "libos/fs/root.h"
#include "libos/vfs/credentials.h"
#include "libos/vfs/file.h"
#include "libos/vfs/testing/fake_heap.h"
#include "libos/vfs/testing/fake_streams.h"
#include "libos/vfs/testing/fake_threads.h"
#include "libos/vfs/testing/user_arena.h"

namespace nsgx::libos::testing {

void FilesTest::SetUp() {
  ResetStreams();
  ResetServices();
  ASSERT_TRUE(MountTree().ok());
}

void FilesTest::TearDown() {
  StopFailingAllocations();
  UnlimitPages();
  UnmountTree();
  ClearFilePool();
  ResetUserArena();
  EXPECT_EQ(heap_use().objects, 0u);
  EXPECT_EQ(heap_use().pages, 0u);
  EXPECT_EQ(watcher_count(), 0u);
}

void FilesTest::BecomeUser(uint32_t user, uint32_t group) {
  process_credentials.effective = {.user = user, .group = group, .group_count = 0, .groups = {}};
  process_credentials.real = process_credentials.effective;
}

void FilesTest::OpenStreams() { ASSERT_TRUE(OpenStandardStreams().ok()); }

}  // namespace nsgx::libos::testing
