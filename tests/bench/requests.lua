-- wrk's requests: one kind a run, over the cards of a sample file, each thread with its own ids.
-- Arguments: kind, path before `/giftcards`, sample file, AppKey, AppToken, a word for this run.

local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

local profile = '"clientProfile":{"email":"miguel.scott96@example.com","firstName":"miguel",'
  .. '"lastName":"scott","document":"02906792063","phone":"+551111111111",'
  .. '"birthDate":"0001-01-01T00:00:00","isCorporate":false}'
local cart = '"cart":{"items":[{"id":"2001023","productId":"2000492","refId":"35994",'
  .. '"name":"Vaporizador","value":14.99,"price":14.99,"quantity":1,"shippingDiscount":0,'
  .. '"discount":-7.5,"priceTags":[{"name":"discount@price-183#4911bf6f","value":0}]}],'
  .. '"grandTotal":0,"discounts":-7.5,"shipping":7.27,"taxes":0,"itemsTotal":14.99}'
local shipping = '"shipping":{"receiverName":"miguel scott","postalCode":"22250040",'
  .. '"city":"Rio de Janeiro","state":"RJ","country":"BRA","street":"Praia de Botafogo",'
  .. '"number":"111","neighborhood":"Botafogo","complement":null,"reference":null}'

local function debit(id)
  return '{"operation":"Debit","value":0.01,"description":"GiftCardHub","redemptionToken":"",'
    .. '"redemptionCode":"","requestId":"' .. id .. '","orderInfo":{"orderId":"v5006128bench-01",'
    .. '"sequence":5006128,' .. cart .. "," .. profile .. "," .. shipping .. "}}"
end

local function step(id)
  return '{"value":0.01,"requestId":"' .. id .. '"}'
end

local function search(who, code)
  return '{"client":' .. who .. ',"cart":{"grandTotal":182,"relationName":null,'
    .. '"redemptionCode":' .. code .. ',"discounts":-20,"shipping":2,"taxes":0,"items":'
    .. '[{"productId":"2000000","id":"2000002","refId":"MEV41","name":null,"price":200,'
    .. '"quantity":1}],"itemsTotal":200}}'
end

local function client(card)
  return '{"id":"' .. card.profile .. '","email":"' .. card.email .. '","document":"'
    .. card.document .. '"}'
end

local kinds = {
  card = function(card) return "GET", "/" .. card.id end,
  authorize = function(card, id) return "POST", "/" .. card.id .. "/transactions", debit(id) end,
  replay = function(card) return "POST", "/" .. card.id .. "/transactions", debit("again") end,
  settle = function(card, id)
    return "POST", "/" .. card.id .. "/transactions/" .. card.txn .. "/settlements", step(id)
  end,
  cancel = function(card, id)
    return "POST", "/" .. card.id .. "/transactions/" .. card.txn .. "/cancellations", step(id)
  end,
  code = function(card) return "POST", "/_search", search(client(card), '"' .. card.code .. '"') end,
  identity = function(card) return "POST", "/_search", search(client(card), "null") end,
}

local cards, build, prefix, word, headers = {}, nil, nil, nil, nil
local turn = 0

function init(arguments)
  build, prefix, word = kinds[arguments[1]], arguments[2] .. "/giftcards", arguments[6]
  for line in io.lines(arguments[3]) do
    local id, txn, code, profile_id, email, document = line:match(
      "(%S+) (%S+) (%S+) (%S+) (%S+) (%S+)")
    cards[#cards + 1] = {
      id = id, txn = txn, code = code, profile = profile_id, email = email, document = document,
    }
  end
  headers = {
    ["X-PROVIDER-API-AppKey"] = arguments[4],
    ["X-PROVIDER-API-AppToken"] = arguments[5],
    ["Accept"] = "application/json",
    ["Content-Type"] = "application/json",
    ["x-vtex-operation-id"] = "0f8fad5b-d9cb-469f-a165-70867728950e",
    ["traceparent"] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ["accept-encoding"] = "gzip",
  }
  -- Two threads walk through the same cards from different ends of the list.
  turn = number * math.floor(#cards / 2)
end

function request()
  turn = turn + 1
  local card = cards[turn % #cards + 1]
  local method, path, body = build(card, word .. "-" .. number .. "-" .. turn)
  return wrk.format(method, prefix .. path, headers, body)
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "refused": %d,'
      .. ' "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
