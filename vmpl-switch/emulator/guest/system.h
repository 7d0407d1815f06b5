// SPDX-License-Identifier: Apache-2.0
// Brings up the guest's Linux. What fails is said on the console, and init goes on: the program
// that misses it says so better.
#pragma once

#include <string>

namespace nsgx::emulator {

// Mounts proc, sysfs, devtmpfs, and configfs once its module is there.
void MountFileSystems();
void MountConfigFileSystem();

// Loads the modules that are listed, one name a line, in /lib/modules/LIST.
void LoadModules(const std::string& list);

// Lets enclaves have three quarters of the memory, where the module is loaded: nobody else is here.
void LendMemory();

// Brings up the loopback interface, and with `ethernet` eth0 with the address that QEMU's user
// network expects a guest to have.
void BringUpNetwork(bool ethernet);

// Says a line on the console.
void Say(const std::string& line);

}  // namespace nsgx::emulator
