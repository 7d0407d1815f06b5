// SPDX-License-Identifier: Apache-2.0
// Programs that end badly, and one that waits to be looked at: crashing HOW.
#include <alloca.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

struct Account {
  std::string owner;
  long* balance = nullptr;
};

[[gnu::noinline]] void PayInto(Account& account, long amount) { *account.balance += amount; }

[[gnu::noinline]] void PayEverybody(std::vector<Account>& accounts) {
  for (Account& account : accounts) {
    PayInto(account, 10);
  }
}

[[gnu::noinline]] int Recurse(int depth) {
  volatile char page[2048];
  page[0] = static_cast<char>(depth);
  return depth < 0 ? 0 : Recurse(depth + 1) + page[0];
}

[[gnu::noinline]] void ThrowWhenAsked(const std::string& what) { throw std::runtime_error(what); }

// The volatile copy keeps the compiler from seeing what is done.
[[gnu::noinline]] void FreeAgain(char* block) {
  char* volatile copy = block;
  free(copy);
}

// Blocks of 100 bytes, more than malloc hands out before it keeps some for this thread.
std::vector<char*> ManyBlocks() {
  std::vector<char*> blocks;
  for (int i = 0; i < 1000; ++i) {
    blocks.push_back(static_cast<char*>(malloc(100)));
  }
  for (int i = 0; i < 100; ++i) {
    free(blocks.back());
    blocks.pop_back();
  }
  return blocks;
}

std::mutex mutex;
std::condition_variable never;

[[gnu::noinline]] void WaitForNobody() {
  pthread_setname_np(pthread_self(), "waiter");
  std::unique_lock lock(mutex);
  never.wait(lock, [] { return false; });
}

[[gnu::noinline]] void LookAtMe(int value) { asm volatile("" : : "r"(value) : "memory"); }

}  // namespace

int main(int argc, char** argv) {
  const std::string_view how = argc > 1 ? argv[1] : "";
  if (how == "null") {
    std::vector<Account> accounts(3);
    PayEverybody(accounts);
  } else if (how == "thread") {
    std::thread([] {
      std::vector<Account> accounts(1);
      PayEverybody(accounts);
    }).join();
  } else if (how == "throw") {
    ThrowWhenAsked("the ledger is closed");
  } else if (how == "abort") {
    abort();
  } else if (how == "readonly") {
    char* page =
        static_cast<char*>(mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    *static_cast<volatile char*>(page + 24) = 1;
  } else if (how == "stack") {
    return Recurse(0);
  } else if (how == "smashed") {
    // The stack pointer itself is wild: a report has nothing to walk along.
    asm volatile("movq $0x1234, %%rsp\n\tpushq $0" : : : "memory");
  } else if (how == "freed_twice") {
    char* const block = ManyBlocks().back();
    free(block);
    FreeAgain(block);
  } else if (how == "freed_by_another_thread") {
    char* const block = ManyBlocks().back();
    std::thread([block] { free(block); }).join();
    FreeAgain(block);
  } else if (how == "freed_inside") {
    FreeAgain(ManyBlocks().back() + 32);
  } else if (how == "resized_after_free") {
    char* const block = ManyBlocks().back();
    free(block);
    char* volatile copy = block;
    copy = static_cast<char*>(realloc(copy, 50));
  } else if (how == "written_before_block") {
    // The block lies in wait for the next malloc of its size.
    char* volatile block = ManyBlocks().back();
    free(block);
    block[-1] = 1;
    for (int i = 0; i < 1000; ++i) {
      block = static_cast<char*>(malloc(100));
    }
  } else if (how == "wait") {
    std::thread waiter(WaitForNobody);
    usleep(20000);
    LookAtMe(42);
    _exit(3);
  }
  return 0;
}
