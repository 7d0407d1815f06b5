// SPDX-License-Identifier: Apache-2.0
// System V semaphores, message queues and shared memory, between the threads of a process. Natively
// they outlive it, so each test removes what it has made.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr size_t kPage = 4096;

// For programs to define.
union Semun {
  int val;
  semid_ds* buf;
  unsigned short* array;
};

// Nobody else's.
key_t OwnKey() { return static_cast<key_t>(0x4e530000 + getpid() % 0x10000); }

bool WaitUntil(const std::function<bool()>& is_so) {
  for (int tries = 0; tries < 10000; ++tries) {
    if (is_so()) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

class Semaphores {
 public:
  explicit Semaphores(int count) : id_(semget(IPC_PRIVATE, count, 0600)) { EXPECT_GE(id_, 0); }
  ~Semaphores() { Remove(); }
  Semaphores(const Semaphores&) = delete;
  Semaphores& operator=(const Semaphores&) = delete;

  int id() const { return id_; }
  void Set(int number, int value) const {
    EXPECT_EQ(semctl(id_, number, SETVAL, Semun{.val = value}), 0);
  }
  int Get(int number, int command = GETVAL) const { return semctl(id_, number, command); }
  void Remove() const { semctl(id_, 0, IPC_RMID); }

 private:
  const int id_;
};

template <size_t kCount>
int Operate(int id, std::array<sembuf, kCount> operations) {
  return semop(id, operations.data(), kCount);
}
sembuf Change(int number, int change, int flags = 0) {
  return {.sem_num = static_cast<unsigned short>(number),
          .sem_op = static_cast<short>(change),
          .sem_flg = static_cast<short>(flags)};
}

TEST(SystemVSemaphores, AreChangedTogetherOrNotAtAll) {
  const Semaphores set(3);
  EXPECT_EQ(set.Get(2), 0);
  unsigned short values[3] = {5, 0, 32767};
  EXPECT_EQ(semctl(set.id(), 0, SETALL, Semun{.array = values}), 0);
  EXPECT_EQ(Operate<2>(set.id(), {Change(0, -1), Change(1, -1, IPC_NOWAIT)}), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(Operate<2>(set.id(), {Change(0, -1), Change(2, 1)}), -1);
  EXPECT_EQ(errno, ERANGE);
  EXPECT_EQ(Operate<3>(set.id(), {Change(0, -2), Change(1, 7), Change(2, -7)}), 0);
  // One after the other: the second finds what the first has left.
  EXPECT_EQ(Operate<2>(set.id(), {Change(0, -3), Change(0, 0)}), 0);
  unsigned short found[3] = {};
  EXPECT_EQ(semctl(set.id(), 0, GETALL, Semun{.array = found}), 0);
  EXPECT_EQ(found[0], 0);
  EXPECT_EQ(found[1], 7);
  EXPECT_EQ(found[2], 32760);
  EXPECT_EQ(set.Get(1, GETPID), getpid());
}

TEST(SystemVSemaphores, RefuseWhatMakesNoSense) {
  const Semaphores set(2);
  EXPECT_EQ(Operate<1>(set.id(), {Change(2, 1)}), -1);
  EXPECT_EQ(errno, EFBIG);
  std::vector<sembuf> many(501, Change(0, 0));
  EXPECT_EQ(semop(set.id(), many.data(), many.size()), -1);
  EXPECT_EQ(errno, E2BIG);
  EXPECT_EQ(semop(set.id(), many.data(), 0), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(semctl(set.id(), 0, SETVAL, Semun{.val = 32768}), -1);
  EXPECT_EQ(errno, ERANGE);
  EXPECT_EQ(set.Get(2), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(semget(IPC_PRIVATE, 0, 0600), -1);
  EXPECT_EQ(errno, EINVAL);
  set.Remove();
  EXPECT_EQ(Operate<1>(set.id(), {Change(0, 1)}), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST(SystemVSemaphores, WaitForMoreAndForZero) {
  const Semaphores set(2);
  set.Set(1, 1);
  std::thread more([&] { EXPECT_EQ(Operate<1>(set.id(), {Change(0, -2)}), 0); });
  std::thread zero([&] { EXPECT_EQ(Operate<1>(set.id(), {Change(1, 0)}), 0); });
  EXPECT_TRUE(WaitUntil([&] { return set.Get(0, GETNCNT) == 1 && set.Get(1, GETZCNT) == 1; }));
  EXPECT_EQ(Operate<1>(set.id(), {Change(0, 1)}), 0);
  EXPECT_EQ(Operate<2>(set.id(), {Change(0, 1), Change(1, -1)}), 0);
  more.join();
  zero.join();
  EXPECT_EQ(set.Get(0), 0);
  EXPECT_EQ(set.Get(0, GETNCNT), 0);
  EXPECT_EQ(set.Get(1, GETZCNT), 0);
  semid_ds status = {};
  EXPECT_EQ(semctl(set.id(), 0, IPC_STAT, Semun{.buf = &status}), 0);
  EXPECT_EQ(status.sem_nsems, 2u);
  EXPECT_EQ(status.sem_perm.mode, 0600u);
  EXPECT_NE(status.sem_otime, 0);
}

TEST(SystemVSemaphores, WaitsEnd) {
  const Semaphores set(1);
  sembuf down = Change(0, -1);
  const timespec soon = {.tv_sec = 0, .tv_nsec = 20'000'000};
  EXPECT_EQ(semtimedop(set.id(), &down, 1, &soon), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(set.Get(0, GETNCNT), 0);

  // A handler ends it even if it says SA_RESTART.
  struct sigaction action = {}, old = {};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &action, &old);
  std::thread interrupted([&] {
    EXPECT_EQ(semop(set.id(), &down, 1), -1);
    EXPECT_EQ(errno, EINTR);
  });
  EXPECT_TRUE(WaitUntil([&] { return set.Get(0, GETNCNT) == 1; }));
  pthread_kill(interrupted.native_handle(), SIGUSR1);
  interrupted.join();
  sigaction(SIGUSR1, &old, nullptr);

  std::thread removed([&] {
    EXPECT_EQ(semop(set.id(), &down, 1), -1);
    EXPECT_EQ(errno, EIDRM);
  });
  EXPECT_TRUE(WaitUntil([&] { return set.Get(0, GETNCNT) == 1; }));
  set.Remove();
  removed.join();
}

TEST(SystemVSemaphores, ExcludeEachOther) {
  const Semaphores set(1);
  set.Set(0, 1);
  constexpr int kThreads = 3, kRounds = 500;
  int counter = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        ASSERT_EQ(Operate<1>(set.id(), {Change(0, -1, SEM_UNDO)}), 0);
        ++counter;
        ASSERT_EQ(Operate<1>(set.id(), {Change(0, 1, SEM_UNDO)}), 0);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(counter, kThreads * kRounds);
}

TEST(SystemVKeys, LeadToOneObject) {
  const key_t key = OwnKey();
  EXPECT_EQ(semget(key, 1, 0600), -1);
  EXPECT_EQ(errno, ENOENT);
  const int id = semget(key, 2, IPC_CREAT | IPC_EXCL | 0600);
  ASSERT_GE(id, 0);
  EXPECT_EQ(semget(key, 2, IPC_CREAT | IPC_EXCL | 0600), -1);
  EXPECT_EQ(errno, EEXIST);
  EXPECT_EQ(semget(key, 2, IPC_CREAT | 0600), id);
  EXPECT_EQ(semget(key, 0, 0), id);
  EXPECT_EQ(semget(key, 3, 0600), -1);
  EXPECT_EQ(errno, EINVAL);
  // Each kind has keys of its own.
  EXPECT_EQ(msgget(key, 0600), -1);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_EQ(semctl(id, 0, IPC_RMID), 0);
  EXPECT_EQ(semget(key, 1, 0600), -1);
  EXPECT_EQ(errno, ENOENT);
}

struct Message {
  long type;
  char text[100];
};

class Queue {
 public:
  Queue() : id_(msgget(IPC_PRIVATE, 0600)) { EXPECT_GE(id_, 0); }
  ~Queue() { Remove(); }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  int id() const { return id_; }
  void Send(long type, const std::string& text) const {
    Message message = {.type = type, .text = {}};
    text.copy(message.text, sizeof(message.text));
    EXPECT_EQ(msgsnd(id_, &message, text.size(), IPC_NOWAIT), 0);
  }
  std::string Receive(long type, int flags = 0) const {
    Message message = {};
    const ssize_t size = msgrcv(id_, &message, sizeof(message.text), type, flags | IPC_NOWAIT);
    return size < 0 ? strerror(errno)
                    : std::to_string(message.type) +
                          std::string(message.text, static_cast<size_t>(size));
  }
  msqid_ds Status() const {
    msqid_ds status = {};
    EXPECT_EQ(msgctl(id_, IPC_STAT, &status), 0);
    return status;
  }
  void Remove() const { msgctl(id_, IPC_RMID, nullptr); }

 private:
  const int id_;
};

TEST(SystemVMessages, AreReceivedByType) {
  const Queue queue;
  queue.Send(3, "c");
  queue.Send(1, "a");
  queue.Send(2, "b");
  queue.Send(1, "");
  queue.Send(3, "e");
  EXPECT_EQ(queue.Status().msg_qnum, 5u);
  EXPECT_EQ(queue.Status().msg_cbytes, 4u);
  EXPECT_EQ(queue.Status().msg_lspid, getpid());
  EXPECT_EQ(queue.Receive(7), strerror(ENOMSG));
  EXPECT_EQ(queue.Receive(-2), "1a");
  EXPECT_EQ(queue.Receive(3, MSG_EXCEPT), "2b");
  EXPECT_EQ(queue.Receive(0), "3c");
  EXPECT_EQ(queue.Receive(3), "3e");
  EXPECT_EQ(queue.Receive(0), "1");
  EXPECT_EQ(queue.Receive(0), strerror(ENOMSG));
  EXPECT_EQ(queue.Status().msg_cbytes, 0u);
}

TEST(SystemVMessages, HaveLimits) {
  const Queue queue;
  Message message = {.type = 1, .text = "0123456789"};
  EXPECT_EQ(msgsnd(queue.id(), &message, 10, 0), 0);
  EXPECT_EQ(msgrcv(queue.id(), &message, 4, 0, 0), -1);
  EXPECT_EQ(errno, E2BIG);
  EXPECT_EQ(msgrcv(queue.id(), &message, 4, 0, MSG_NOERROR), 4);
  message.type = 0;
  EXPECT_EQ(msgsnd(queue.id(), &message, 1, 0), -1);
  EXPECT_EQ(errno, EINVAL);
  struct {
    long type;
    char text[8193];
  } large = {.type = 1, .text = {}};
  EXPECT_EQ(msgsnd(queue.id(), &large, sizeof(large.text), 0), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(msgsnd(queue.id(), &large, 8192, 0), 0);
  EXPECT_EQ(msgsnd(queue.id(), &large, 8192, 0), 0);
  EXPECT_EQ(msgsnd(queue.id(), &large, 1, IPC_NOWAIT), -1);
  EXPECT_EQ(errno, EAGAIN);
  queue.Remove();
  EXPECT_EQ(msgsnd(queue.id(), &large, 1, 0), -1);
  EXPECT_EQ(errno, EINVAL);
}

struct LargeMessage {
  long type;
  char text[8192];
};

TEST(SystemVMessages, WaitsEnd) {
  const Queue queue;
  std::thread receiver([&] {
    Message message = {};
    EXPECT_EQ(msgrcv(queue.id(), &message, sizeof(message.text), 9, 0), 2);
    EXPECT_STREQ(message.text, "hi");
  });
  queue.Send(8, "no");
  queue.Send(9, "hi");
  receiver.join();
  EXPECT_EQ(queue.Receive(0), "8no");

  LargeMessage large = {.type = 1, .text = {}};
  EXPECT_EQ(msgsnd(queue.id(), &large, sizeof(large.text), 0), 0);
  EXPECT_EQ(msgsnd(queue.id(), &large, sizeof(large.text), 0), 0);
  std::thread sender([&] {
    const LargeMessage more = {.type = 2, .text = {}};
    EXPECT_EQ(msgsnd(queue.id(), &more, sizeof(more.text), 0), 0);
  });
  EXPECT_EQ(msgrcv(queue.id(), &large, sizeof(large.text), 1, 0), 8192);
  EXPECT_EQ(msgrcv(queue.id(), &large, sizeof(large.text), 2, 0), 8192);
  sender.join();

  std::thread removed([&] {
    Message message = {};
    EXPECT_EQ(msgrcv(queue.id(), &message, sizeof(message.text), 99, 0), -1);
    EXPECT_TRUE(errno == EIDRM || errno == EINVAL) << "EINVAL: it has begun too late";
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  queue.Remove();
  removed.join();
}

class Segment {
 public:
  explicit Segment(size_t size) : id_(shmget(IPC_PRIVATE, size, 0600)) { EXPECT_GE(id_, 0); }
  ~Segment() { Remove(); }
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  int id() const { return id_; }
  char* Attach(int flags = 0, const void* at = nullptr) const {
    void* const memory = shmat(id_, at, flags);
    return memory == reinterpret_cast<void*>(-1) ? nullptr : static_cast<char*>(memory);
  }
  shmid_ds Status() const {
    shmid_ds status = {};
    EXPECT_EQ(shmctl(id_, IPC_STAT, &status), 0);
    return status;
  }
  void Remove() const { shmctl(id_, IPC_RMID, nullptr); }

 private:
  const int id_;
};

TEST(SystemVSharedMemory, IsTheSameWhereverItIsAttached) {
  const Segment segment(kPage + 100);
  char* const first = segment.Attach();
  char* const second = segment.Attach();
  const char* const reader = segment.Attach(SHM_RDONLY);
  ASSERT_TRUE(first != nullptr && second != nullptr && reader != nullptr);
  EXPECT_EQ(first[kPage + 99], 0);
  for (int round = 1; round < 20; ++round) {
    first[kPage] = static_cast<char>(round);
    ASSERT_EQ(second[kPage], round);
    ASSERT_EQ(reader[kPage], round);
    second[7] = static_cast<char>(-round);
    ASSERT_EQ(first[7], -round);
  }
  const shmid_ds status = segment.Status();
  EXPECT_EQ(status.shm_segsz, kPage + 100);
  EXPECT_EQ(status.shm_nattch, 3u);
  EXPECT_EQ(status.shm_cpid, getpid());
  EXPECT_EQ(shmdt(first), 0);
  EXPECT_EQ(shmdt(first), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(segment.Status().shm_nattch, 2u);
  EXPECT_EQ(second[7], -19);
  EXPECT_EQ(shmdt(second), 0);
  EXPECT_EQ(shmdt(reader), 0);
  char* const again = segment.Attach();
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again[kPage], 19) << "it stays while nobody has it attached";
  EXPECT_EQ(shmdt(again), 0);
}

TEST(SystemVSharedMemory, EndsWithItsLastAttachment) {
  const Segment segment(kPage);
  char* const memory = segment.Attach();
  ASSERT_NE(memory, nullptr);
  memory[0] = 'a';
  segment.Remove();
  EXPECT_NE(segment.Status().shm_perm.mode & 01000, 0u);
  char* const second = segment.Attach();
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second[0], 'a');
  EXPECT_EQ(shmdt(second), 0);
  EXPECT_EQ(shmdt(memory), 0);
  EXPECT_EQ(segment.Attach(), nullptr);
  EXPECT_EQ(errno, EINVAL);
}

TEST(SystemVSharedMemory, GoesWhereItIsWanted) {
  const Segment segment(2 * kPage);
  void* const hole = mmap(nullptr, 4 * kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(hole, MAP_FAILED);
  char* const at = static_cast<char*>(hole) + kPage;
  EXPECT_EQ(segment.Attach(0, at), nullptr);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(segment.Attach(SHM_REMAP, at), at);
  at[0] = 'x';
  EXPECT_EQ(munmap(at + kPage, kPage), 0);
  EXPECT_EQ(shmdt(at), 0);
  EXPECT_EQ(segment.Attach(0, at + 1), nullptr);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(segment.Attach(SHM_RND, at + 1), at);
  EXPECT_EQ(at[0], 'x');
  EXPECT_EQ(shmdt(at), 0);
  munmap(hole, 4 * kPage);
  EXPECT_EQ(shmget(IPC_PRIVATE, 0, 0600), -1);
  EXPECT_EQ(errno, EINVAL);
}

}  // namespace
