/** The name changes with the code, so that servers of two versions can share a Redis while one replaces the other. */
export const libraryName = 'slipway_records_2';

/** Partitions are spread over so many hash slots. Part of the data's layout: never change it for existing data. */
export const shardCount = 16;

/**
 * What runs inside Redis, each call atomic. All keys of a shard carry its hash tag, `KEYS[1]`, so the library also runs on Redis
 * Cluster. A partition's keys, below `<tag>:<partition>:`
 * - `rec` hash: key to `<version>:<JSON>`
 * - `keys` sorted set, all scores 0: the keys in the order of their bytes
 * - `live` and `dead` sorted sets: keys present and removed, by the version of their last change (the change feed)
 * - `meta` hash: `version`, and `floor` as in the sqlite driver
 * - `ev:<topic>` stream, an event's id is `<position>-0`
 * and of a shard: `partitions` (those with records), `topic:<topic>` (partitions by a number that grows with each announcement).
 */
export const library = `#!lua name=${libraryName}
local chunk = 1000
-- Rows that are read before it is looked whether they are enough: any of them may be as long as a value may be.
local few = 16

local function int(n) return string.format('%.0f', n) end

local function in_chunks(command, key, flat)
  for from = 1, #flat, chunk do
    redis.call(command, key, unpack(flat, from, math.min(from + chunk - 1, #flat)))
  end
end

local function holds(base, kind, key, argument)
  if kind == 'empty' then
    local upper = argument == '' and '+' or '(' .. argument
    return #redis.call('ZRANGE', base .. 'keys', '[' .. key, upper, 'BYLEX', 'LIMIT', 0, 1) == 0
  end
  -- Of a row that may be long only what is asked for: the feed knows its version.
  if kind == 'present' then return redis.call('HEXISTS', base .. 'rec', key) == 1 end
  if kind == 'absent' then return redis.call('HEXISTS', base .. 'rec', key) == 0 end
  if kind == 'version' then
    local version = redis.call('ZSCORE', base .. 'live', key)
    return version and int(tonumber(version)) == argument
  end
  local row = redis.call('HGET', base .. 'rec', key)
  if kind == 'json' then return row ~= false and string.sub(row, string.find(row, ':', 1, true) + 1) == argument end
  error('unknown condition ' .. kind)
end

local function commit(keys, args)
  local tag, partition, time = keys[1], args[1], args[2]
  local kept_dead, kept_events = tonumber(args[3]), args[4]
  local base = tag .. ':' .. partition .. ':'
  local at = 5
  local function take() at = at + 1; return args[at - 1] end

  local failed = {}
  for index = 0, tonumber(take()) - 1 do
    local kind, key, argument = take(), take(), take()
    if not holds(base, kind, key, argument) then failed[#failed + 1] = index end
  end
  if #failed > 0 then return { 'failed', failed } end

  local version = redis.call('HINCRBY', base .. 'meta', 'version', 1)
  local stamp = int(version)
  local rows, names, live, put = {}, {}, {}, {}
  for _ = 1, tonumber(take()) do
    local key, json = take(), take()
    rows[#rows + 1] = key; rows[#rows + 1] = stamp .. ':' .. json
    names[#names + 1] = '0'; names[#names + 1] = key
    live[#live + 1] = stamp; live[#live + 1] = key
    put[#put + 1] = key
  end
  in_chunks('HSET', base .. 'rec', rows)
  in_chunks('ZADD', base .. 'keys', names)
  in_chunks('ZADD', base .. 'live', live)
  if #put > 0 and redis.call('EXISTS', base .. 'dead') == 1 then in_chunks('ZREM', base .. 'dead', put) end

  local removed = tonumber(take())
  for _ = 1, removed do
    local key = take()
    if redis.call('HDEL', base .. 'rec', key) == 1 then
      redis.call('ZREM', base .. 'keys', key)
      redis.call('ZREM', base .. 'live', key)
      redis.call('ZADD', base .. 'dead', stamp, key)
    end
  end
  if removed > 0 then
    local excess = redis.call('ZCARD', base .. 'dead') - kept_dead
    if excess > 0 then
      local last = redis.call('ZRANGE', base .. 'dead', excess - 1, excess - 1, 'WITHSCORES')[2]
      redis.call('ZREMRANGEBYSCORE', base .. 'dead', '-inf', last)
      redis.call('HSET', base .. 'meta', 'floor', last)
    end
    if redis.call('HLEN', base .. 'rec') == 0 then redis.call('ZREM', tag .. ':partitions', partition) end
  end
  -- The first records of a partition, or the first after all were removed.
  if #put > 0 and redis.call('HLEN', base .. 'rec') <= #put then redis.call('ZADD', tag .. ':partitions', 0, partition) end

  local topics = {}
  for _ = 1, tonumber(take()) do
    local topic, kind, data = take(), take(), take()
    local position = redis.call('HINCRBY', base .. 'meta', 'last:' .. topic, 1)
    redis.call('XADD', base .. 'ev:' .. topic, 'MAXLEN', '~', kept_events, int(position) .. '-0', 'type', kind, 'time', time, 'data', data)
    if not topics[topic] then
      topics[topic] = true
      redis.call('PUBLISH', string.match(tag, '^(.*):{') .. ':wake:' .. topic, '')
      redis.call('ZADD', tag .. ':topic:' .. topic, redis.call('INCR', tag .. ':touched'), partition)
    end
  end
  redis.call('PUBLISH', base .. 'wake', '')
  return { 'committed', stamp }
end

local function list(keys, args)
  local base = keys[1] .. ':' .. args[1] .. ':'
  local names = redis.call('ZRANGE', base .. 'keys', args[2], args[3], 'BYLEX', 'LIMIT', 0, args[4])
  local most, held, rows = tonumber(args[5]), 0, {}
  for from = 1, #names, few do
    local found = redis.call('HMGET', base .. 'rec', unpack(names, from, math.min(from + few - 1, #names)))
    for _, row in ipairs(found) do
      if held > most then return { names, rows } end
      rows[#rows + 1] = row
      held = held + #row
    end
  end
  return { names, rows }
end

local function changes(keys, args)
  local base, after, limit = keys[1] .. ':' .. args[1] .. ':', tonumber(args[2]), tonumber(args[3])
  local version = tonumber(redis.call('HGET', base .. 'meta', 'version') or '0')
  local floor = tonumber(redis.call('HGET', base .. 'meta', 'floor') or '0')
  if version == after then return { 'none' } end
  if after < floor or after > version then return { 'reset', int(version) } end
  local found = {}
  local function gather(set, from, upto, most)
    local flat = redis.call('ZRANGE', base .. set, from, upto, 'BYSCORE', 'LIMIT', 0, most, 'WITHSCORES')
    for index = 1, #flat, 2 do found[#found + 1] = { tonumber(flat[index + 1]), flat[index] } end
    return #flat / 2
  end
  local first = '(' .. args[2]
  local full = gather('live', first, '+inf', limit) == limit
  full = gather('dead', first, '+inf', limit) == limit or full
  table.sort(found, function(a, b) return a[1] < b[1] end)
  if full then
    -- Whole commits only, up to the one that the limit fell into: its rows are read without a limit.
    local last = found[math.min(limit, #found)][1]
    local kept = {}
    for _, change in ipairs(found) do if change[1] < last then kept[#kept + 1] = change end end
    found = kept
    gather('live', int(last), int(last), -1)
    gather('dead', int(last), int(last), -1)
  end
  local versions, names, rows = {}, {}, {}
  local most, held, before = tonumber(args[4]), 0, nil
  for _, change in ipairs(found) do
    -- Whole commits only.
    if held > most and change[1] ~= before then break end
    before = change[1]
    versions[#versions + 1] = int(change[1])
    names[#names + 1] = change[2]
    local row = redis.call('HGET', base .. 'rec', change[2])
    rows[#rows + 1] = row
    if row then held = held + #row end
  end
  return { 'changes', versions, names, rows }
end

local function streams(keys, args)
  local tag, topic = keys[1], args[1]
  local flat = redis.call('ZRANGE', tag .. ':topic:' .. topic, '(' .. args[2], '+inf', 'BYSCORE', 'WITHSCORES')
  local found = {}
  for index = 1, #flat, 2 do
    local base = tag .. ':' .. flat[index] .. ':'
    local oldest = redis.call('XRANGE', base .. 'ev:' .. topic, '-', '+', 'COUNT', 1)[1]
    local last = redis.call('HGET', base .. 'meta', 'last:' .. topic)
    found[#found + 1] = { flat[index], oldest and oldest[1] or last, last, flat[index + 1] }
  end
  return found
end

redis.register_function('${libraryName}_commit', commit)
redis.register_function{ function_name = '${libraryName}_list', callback = list, flags = { 'no-writes' } }
redis.register_function{ function_name = '${libraryName}_changes', callback = changes, flags = { 'no-writes' } }
redis.register_function{ function_name = '${libraryName}_streams', callback = streams, flags = { 'no-writes' } }
`;
