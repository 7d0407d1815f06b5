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
  } else if (how == "wait") {
    std::thread waiter(WaitForNobody);
    usleep(20000);
    LookAtMe(42);
    _exit(3);
  }
  return 0;
}
