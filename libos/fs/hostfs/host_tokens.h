// SPDX-License-Identifier: Apache-2.0
// Which tokens of the host are in use, by all of its folders together.
#pragma once

#include "base/core/result.h"
#include "libos/host/files.h"
#include "libos/kernel/errno.h"

namespace nsgx::libos {

// Notes a token that the host has just given out. EIO: it is in use already, so that one object
// would pass for another; it is then not to be released. ENOMEM: it is released.
Result<void, Errno> TakeHostToken(host::FileToken token);

// The token is not used any more. The host learns of it together with others, unless `now`.
void ReleaseHostToken(host::FileToken token, bool now);

// At the end of a test.
void ReleaseAllHostTokens();

}  // namespace nsgx::libos
