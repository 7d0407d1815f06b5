-- SPDX-License-Identifier: Apache-2.0
-- What a Lua program wants from the system below it: memory, numbers, files, time, errors.
local checks = 0
local function check(good, what)
  checks = checks + 1
  if not good then error(what, 2) end
end

-- Memory: a million strings, then garbage collection.
local words = {}
for i = 1, 1000000 do words[i] = "word " .. i end
check(#words == 1000000 and words[999999] == "word 999999", "table")
words = nil
collectgarbage()
check(collectgarbage("count") < 20000, "garbage stays")

-- Numbers, through the C library's printf and strtod.
check(string.format("%.14g %a %5.1f", 1 / 3, 0.5, 2.25) == "0.33333333333333 0x1p-1   2.2", "format")
check(tonumber("0x1.8p3") == 12.0 and tonumber("1e309") == math.huge, "tonumber")
check(math.abs(math.sin(math.pi)) < 1e-15 and math.floor(-0.5) == -1, "math")
check(math.maxinteger + 1 == math.mininteger, "wrap around")

-- Coroutines, and errors through the C library's longjmp.
local function walk(n) for i = 1, n do coroutine.yield(i) end end
local sum = 0
for value in coroutine.wrap(function() walk(1000) end) do sum = sum + value end
check(sum == 500500, "coroutine")
local good, why = pcall(function() error({code = 3}) end)
check(not good and why.code == 3, "pcall")
check(not pcall(function() local function f() return f() + 1 end return f() end), "deep recursion")

-- Files.
local name = os.tmpname()
local file = assert(io.open(name, "w+"))
for i = 1, 10000 do file:write(i, "\n") end
check(file:seek("end") == 48894, "size")
file:seek("set")
local lines = 0
for line in file:lines() do
  lines = lines + 1
  check(tonumber(line) == lines, "line")
end
check(lines == 10000, "lines")
file:close()
check(os.rename(name, name .. ".new") and not io.open(name), "rename")
check(os.remove(name .. ".new"), "remove")
local _, message, code = io.open("/nowhere/file")
check(code == 2 and message:find("No such file"), "errno")
local buffer = assert(io.tmpfile())
buffer:setvbuf("full", 64)
buffer:write(("x"):rep(100000))
buffer:seek("set", 99999)
check(buffer:read(2) == "x", "tmpfile")

-- Time and environment.
check(os.time({year = 2024, month = 2, day = 29, hour = 12}) == 1709208000, "time")
check(os.date("!%Y-%m-%d %H:%M:%S", 1709208000) == "2024-02-29 12:00:00", "date")
check(os.clock() > 0 and os.time() > 1700000000, "clock")
check(os.getenv("NOT_SET_ANYWHERE") == nil, "getenv")
check(os.setlocale(nil) == "C", "locale")
check(arg[1] == "one" and arg[2] == "two", "arguments")

print(checks .. " checks")
print("all checks passed")
