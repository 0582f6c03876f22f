import { type Automaton, compilePattern } from '../../../routing/index.ts';

/** What the generated configuration calls in Lua, and where patterns are kept for it. */
export interface LuaParts {
  /** Name of the automaton of a pattern, made on first use. */
  automaton(pattern: string, ignoreCase: boolean): string;
  /** The whole file. */
  text(): string;
}

/**
 * The Lua of a configuration: the two things that HAProxy's own language cannot do in linear time or at all, `normalizePath` and automata
 * for regular expressions, and the removal of headers that `Connection` names. Holds numbers only: no text of users.
 */
export function luaParts(): LuaParts {
  const automata = new Map<string, { readonly name: string; readonly automaton: Automaton }>();
  return {
    automaton(pattern, ignoreCase) {
      const key = `${ignoreCase ? 'i' : 'c'}${pattern}`;
      const known = automata.get(key);
      if (known !== undefined) return known.name;
      const made = { name: `a${automata.size}`, automaton: compilePattern(pattern, { ignoreCase }) };
      automata.set(key, made);
      return made.name;
    },
    text: () =>
      `${program}\n${[...automata.values()].map(({ name, automaton }) => table(name, automaton)).join('\n')}\n`,
  };
}

function table(name: string, { columns, columnCount, next, accepts }: Automaton): string {
  const list = (numbers: Iterable<number>): string => `{${[...numbers].join(',')}}`;
  return `automata[${JSON.stringify(name)}] = { ${list(columns)}, ${columnCount}, ${list(next)}, ${list(accepts)} }`;
}

const program = `
local automata = {}
local byte = string.byte

core.register_converters("slipway_finds", function(text, name)
  local columns, count, follow, accepts = table.unpack(automata[name])
  local state = 0
  for i = 1, #text do
    if accepts[state + 1] == 1 then return "1" end
    state = follow[state * count + columns[byte(text, i) + 1] + 1]
  end
  return accepts[state + 1] ~= 0 and "1" or "0"
end)

core.register_converters("slipway_path", function(path)
  path = path:gsub("%%(%x%x)", function(digits)
    local char = string.char(tonumber(digits, 16))
    if char:find("^[A-Za-z0-9%-._~]$") then return char end
    return "%" .. digits:upper()
  end)
  if not path:find("/.", 1, true) then return path end
  local kept = {}
  local at = 2
  while true do
    local slash = path:find("/", at, true)
    kept[#kept + 1] = path:sub(at, (slash or 0) - 1)
    if not slash then break end
    at = slash + 1
  end
  local out = {}
  for i, segment in ipairs(kept) do
    if segment == ".." then out[#out] = nil
    elseif segment ~= "." then out[#out + 1] = segment end
    if i == #kept and (segment == "." or segment == "..") then out[#out + 1] = "" end
  end
  return "/" .. table.concat(out, "/")
end)

core.register_action("slipway_hops", { "http-req" }, function(txn)
  local values = txn.http:req_get_headers()["connection"] or {}
  for _, value in pairs(values) do
    for name in value:gmatch("[^,%s]+") do
      local lower = name:lower()
      if lower ~= "close" and lower ~= "keep-alive" and lower ~= "upgrade" and lower ~= "host" and lower ~= "content-length" and lower ~= "transfer-encoding" then txn.http:req_del_header(name) end
    end
  end
end)
`;
