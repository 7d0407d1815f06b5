-- SPDX-License-Identifier: Apache-2.0
-- Three pieces of work: calls, tables and strings.
local function fibonacci(n) return n < 2 and n or fibonacci(n - 1) + fibonacci(n - 2) end

local work = {
  calls = function() assert(fibonacci(32) == 2178309) end,
  tables = function()
    for _ = 1, 20 do
      local points = {}
      for i = 1, 100000 do points[i] = {x = i, y = -i} end
      table.sort(points, function(a, b) return a.y < b.y end)
    end
  end,
  strings = function()
    local words = {}
    for i = 1, 300000 do words[#words + 1] = ("%d:%s"):format(i, ("x"):rep(i % 50)) end
    local text, count = table.concat(words, " "), 0
    for _ in text:gmatch("%d+:x+") do count = count + 1 end
    assert(count == 294000)
  end,
}
work[arg[1]]()
