#!/usr/bin/env node
// Replays recorded HTTP transcripts against a server and compares its answers with the recorded ones.
//
//   node replay-http.mjs --target 127.0.0.1:8098 [--dir DIR] [--area X] [--name SUBSTR] [--jobs N] [--json]
//
// Node 20 or newer, no dependencies. Format and matching rules: README.md beside this file.
import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'

const HERE = path.dirname(fileURLToPath(import.meta.url))

// ---------------------------------------------------------------- placeholders

/** Kinds of volatile values: `{{kind}}` matches the pattern, `{{kind:name}}` also binds it to a name. */
const KINDS = {
  '*': '[^]*?',
  vclock: '[A-Za-z0-9+/]+={0,2}',
  etag: '[^"\\s,]+',
  date: '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \\d\\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \\d{4} \\d\\d:\\d\\d:\\d\\d GMT',
  key: '[^/?\\s]+',
  token: '[A-Za-z0-9+/_=.~%-]+',
  int: '-?\\d+',
}
const PLACEHOLDER = /\{\{([^{}]+)\}\}/g
const escapeRegExp = (s) => s.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')

/** Values known so far in one run of a scenario: name → { value, kind }. */
class Env {
  constructor (vars = new Map()) { this.vars = vars }
  fork () { return new Env(new Map(this.vars)) }
  adopt (other) { this.vars = other.vars }
  get (name) { return this.vars.get(name)?.value }
  set (name, value, kind) { this.vars.set(name, { value, kind }) }

  /** Binds a name. Two names of kind etag never stand for the same value. */
  bind (name, value, kind) {
    const known = this.get(name)
    if (known !== undefined) return known === value
    if (kind === 'etag') for (const v of this.vars.values()) if (v.kind === 'etag' && v.value === value) return false
    this.set(name, value, kind)
    return true
  }

  /** Fills the placeholders of a request: `{{name}}`, percent-encoded as `{{name|url}}`. */
  fill (text) {
    return text.replace(PLACEHOLDER, (_, expr) => {
      const [name, filter] = expr.split('|')
      const value = this.get(name)
      if (value === undefined) throw new Error(`placeholder {{${expr}}} has no value`)
      return filter === 'url' ? encodeURIComponent(value) : value
    })
  }
}

/** Compares a text with a template; binds names on success. Returns true or false. */
function matchText (template, actual, env) {
  if (!template.includes('{{')) return template === actual
  const binds = []
  const source = template.split(PLACEHOLDER).map((piece, i) => {
    if (i % 2 === 0) return escapeRegExp(piece)
    const [head, name] = piece.split(':')
    const known = env.get(name ?? head)
    if (known !== undefined && (name !== undefined || !(head in KINDS))) return escapeRegExp(known)
    if (!(head in KINDS)) throw new Error(`unknown placeholder {{${piece}}}`)
    binds.push({ name, kind: head })
    return `(${KINDS[head]})`
  }).join('')
  const found = new RegExp(`^${source}$`).exec(actual)
  if (!found) return false
  const trial = env.fork()
  for (const [i, { name, kind }] of binds.entries()) {
    if (name !== undefined && !trial.bind(name, found[i + 1], kind)) return false
  }
  env.adopt(trial)
  return true
}

// ---------------------------------------------------------------- comparison

const show = (x) => {
  const s = typeof x === 'string' ? JSON.stringify(x) : Buffer.isBuffer(x) ? showBytes(x) : JSON.stringify(x)
  return s === undefined ? 'nothing' : s.length > 400 ? `${s.slice(0, 400)}…(${s.length})` : s
}
const isUtf8 = (b) => Buffer.from(b.toString('utf8'), 'utf8').equals(b)
const showBytes = (b) => isUtf8(b) ? JSON.stringify(b.toString('utf8')) : `base64:${b.toString('base64')}`

/** Pairs every expected item with a distinct actual one, whatever the order (backtracking). */
function matchSet (expected, actual, env, test, { partial = false } = {}) {
  if (!partial && expected.length !== actual.length) return false
  // Items without placeholders first: they decide quickly, and long key lists stay cheap.
  const key = (x) => JSON.stringify(x)
  const pool = new Map()
  for (const [i, a] of actual.entries()) {
    const k = key(a)
    if (!pool.has(k)) pool.set(k, [])
    pool.get(k).push(i)
  }
  const used = new Set()
  const open = []
  for (const e of expected) {
    const same = pool.get(key(e))
    if (same?.length && !key(e).includes('{{')) used.add(same.pop())
    else open.push(e)
  }
  const place = (n, env) => {
    if (n === open.length) return env
    for (let i = 0; i < actual.length; i++) {
      if (used.has(i)) continue
      const trial = env.fork()
      if (!test(open[n], actual[i], trial)) continue
      used.add(i)
      const done = place(n + 1, trial)
      if (done) return done
      used.delete(i)
    }
    return null
  }
  const done = place(0, env)
  if (done) env.adopt(done)
  return done !== null
}

/** Compares a parsed JSON value. Returns null, or a text that says where it differs. */
function diffJson (expected, actual, env, at = '$') {
  const no = () => `${at}: expected ${show(expected)}, got ${show(actual)}`
  if (typeof expected === 'string') return typeof actual === 'string' && matchText(expected, actual, env) ? null : no()
  if (expected === null || typeof expected !== 'object') return Object.is(expected, actual) ? null : no()
  const same = (e, a, env) => diffJson(e, a, env) === null
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || expected.length !== actual.length) return no()
    for (const [i, e] of expected.entries()) {
      const d = diffJson(e, actual[i], env, `${at}[${i}]`)
      if (d) return d
    }
    return null
  }
  if ('$any' in expected) return expected.$any === 'value' || typeof actual === expected.$any || (expected.$any === 'array' && Array.isArray(actual)) ? null : no()
  if ('$set' in expected) return Array.isArray(actual) && matchSet(expected.$set, actual, env, same) ? null : no()
  if ('$contains' in expected) return Array.isArray(actual) && matchSet(expected.$contains, actual, env, same, { partial: true }) ? null : no()
  if ('$near' in expected) return typeof actual === 'number' && Math.abs(actual - expected.$near) <= expected.within ? null : no()
  if (actual === null || typeof actual !== 'object' || Array.isArray(actual)) return no()
  const partial = '$subset' in expected
  const wanted = partial ? expected.$subset : expected
  for (const k of Object.keys(wanted)) {
    if (!Object.hasOwn(actual, k)) return `${at}.${k}: missing`
    const d = diffJson(wanted[k], actual[k], env, `${at}.${k}`)
    if (d) return d
  }
  if (!partial) for (const k of Object.keys(actual)) if (!Object.hasOwn(wanted, k)) return `${at}.${k}: not expected, got ${show(actual[k])}`
  return null
}

/** Headers whose value is a list without order. */
const isListHeader = (name) => name === 'link' || name === 'vary' || name === 'allow' || name.startsWith('x-riak-index-')
/** Headers that tell a client something by being there: where headers are listed and these are not, they must be absent. */
const isTelling = (name, status) => name === 'x-riak-deleted' || (status < 400 && (
  name === 'location' || name === 'content-encoding' || name === 'link' || name.startsWith('x-riak-meta-') || name.startsWith('x-riak-index-')))
const splitList = (v) => v.split(/,\s*(?=[^\s])/)
const tidy = (name, v) => name === 'content-type' ? v.replace(/;\s*/g, '; ') : v

function diffHeaders (expected, actual, env, status = 200) {
  for (const [name, want] of Object.entries(expected)) {
    const got = actual[name]
    if (want === null) {
      if (got !== undefined) return `header ${name}: expected absent, got ${show(got)}`
      continue
    }
    if (got === undefined) return `header ${name}: expected ${show(want)}, got nothing`
    const ok = want === '{{*}}' || (isListHeader(name)
      ? matchSet(splitList(want), splitList(got), env, matchText)
      : matchText(tidy(name, want), tidy(name, got), env))
    if (!ok) return `header ${name}: expected ${show(want)}, got ${show(got)}`
  }
  for (const name of Object.keys(actual)) {
    if (isTelling(name, status) && !(name in expected)) return `header ${name}: expected absent, got ${show(actual[name])}`
  }
  return null
}

/** Splits a multipart body. Returns [{ headers, body }]. Throws when the framing is broken. */
export function parseMultipart (body, contentType) {
  const boundary = /boundary="?([^";]+)"?/.exec(contentType ?? '')?.[1]
  if (!boundary) throw new Error(`no multipart boundary in content type ${show(contentType)}`)
  const text = `\r\n${body.toString('latin1')}`
  const pieces = text.split(`\r\n--${boundary}`)
  if (pieces.length < 2 || !pieces.at(-1).startsWith('--')) throw new Error('multipart body has no closing boundary')
  return pieces.slice(1, -1).map((piece) => {
    const rest = piece.replace(/^[ \t]*\r\n/, '')
    const end = rest.startsWith('\r\n') ? 0 : rest.indexOf('\r\n\r\n')
    if (end < 0) throw new Error('multipart part has no end of headers')
    const headers = {}
    for (const line of rest.slice(0, end).split('\r\n').filter(Boolean)) {
      const colon = line.indexOf(':')
      const name = line.slice(0, colon).toLowerCase()
      const value = line.slice(colon + 1).trim()
      headers[name] = name in headers ? `${headers[name]}, ${value}` : value
    }
    return { headers, body: Buffer.from(rest.slice(end === 0 ? 2 : end + 4), 'latin1') }
  })
}

/** Splits concatenated JSON texts (`{…}{…}`). */
export function splitJson (text) {
  const out = []
  let depth = 0; let start = -1; let quoted = false
  for (let i = 0; i < text.length; i++) {
    const c = text[i]
    if (quoted) {
      if (c === '\\') i++
      else if (c === '"') quoted = false
    } else if (c === '"') quoted = true
    else if (c === '{' || c === '[') { if (depth++ === 0) start = i } else if (c === '}' || c === ']') {
      if (--depth === 0) out.push(JSON.parse(text.slice(start, i + 1)))
    } else if (depth === 0 && !/\s/.test(c)) throw new Error(`unexpected ${show(text.slice(i, i + 40))} between JSON chunks`)
  }
  if (depth !== 0) throw new Error('JSON chunk not closed')
  return out
}

/** Joins streamed chunks: arrays of the same name (of the same phase for MapReduce) are concatenated. */
export function mergeChunks (chunks) {
  const merged = {}
  for (const chunk of chunks) {
    const items = 'phase' in chunk && 'data' in chunk ? { [`phase ${chunk.phase}`]: chunk.data } : chunk
    for (const [k, v] of Object.entries(items)) merged[k] = Array.isArray(v) ? [...(merged[k] ?? []), ...v] : v
  }
  return merged
}

function readChunks (body, contentType) {
  return /^multipart\//.test(contentType ?? '')
    ? parseMultipart(body, contentType).map((p) => JSON.parse(p.body.toString('utf8')))
    : splitJson(body.toString('utf8'))
}

/** Compares a body (of a response or of a multipart part) with what is expected of it. */
function diffBody (expected, body, contentType, env) {
  const parts = (list, ordered) => {
    const got = parseMultipart(body, contentType)
    const test = (e, a, env) => diffPart(e, a, env) === null
    const brief = () => `got ${got.length} parts: ${show(got.map((p) => ({ headers: p.headers, body: showBytes(p.body) })))}`
    if (list.length !== got.length) return `expected ${list.length} parts, ${brief()}`
    if (!ordered) return matchSet(list, got, env, test) ? null : `parts differ: expected ${show(list)}, ${brief()}`
    for (const [i, e] of list.entries()) {
      const d = diffPart(e, got[i], env)
      if (d) return `part ${i + 1}: ${d}`
    }
    return null
  }
  try {
    if ('body64' in expected) return body.equals(Buffer.from(expected.body64, 'base64')) ? null : `body: expected base64:${expected.body64}, got ${show(body)}`
    if ('body' in expected) return matchText(expected.body, body.toString('utf8'), env) ? null : `body: expected ${show(expected.body)}, got ${show(body)}`
    if ('json' in expected) return prefix('json', diffJson(expected.json, JSON.parse(body.toString('utf8')), env))
    if ('lines-unordered' in expected) {
      const lines = body.toString('utf8').split('\n')
      return matchSet(expected['lines-unordered'], lines, env, matchText) ? null : `lines: expected ${show(expected['lines-unordered'])}, got ${show(lines)}`
    }
    if ('stream' in expected) {
      const chunks = readChunks(body, contentType)
      if ('stream-last' in expected && !isDeepStrictEqual(chunks.at(-1), expected['stream-last'])) return `last chunk: expected ${show(expected['stream-last'])}, got ${show(chunks.at(-1))}`
      return prefix('stream', diffJson(expected.stream, mergeChunks(chunks), env))
    }
    if ('multipart' in expected) return parts(expected.multipart, false)
    if ('multipart-ordered' in expected) return parts(expected['multipart-ordered'], true)
    return null
  } catch (err) {
    return `body: ${err.message}; got ${show(body)}`
  }
}
const prefix = (what, d) => d && `${what} ${d}`

function diffPart (expected, part, env) {
  return (expected.headers ? diffHeaders(expected.headers, part.headers, env) : null) ??
    diffBody(expected, part.body, part.headers['content-type'], env)
}

export function diffResponse (expected, actual, env) {
  if (expected.status !== actual.status) return `status: expected ${expected.status}, got ${actual.status} ${show(actual.body)}`
  const trial = env.fork()
  const d = (expected.headers ? diffHeaders(expected.headers, actual.headers, trial, actual.status) : null) ??
    diffRawNames(expected['raw-header-names'] ?? [], actual.rawNames) ??
    diffBody(expected, actual.body, actual.headers['content-type'], trial)
  if (!d) env.adopt(trial)
  return d
}

const diffRawNames = (wanted, got) => {
  const missing = wanted.find((name) => !got.includes(name))
  return missing === undefined ? null : `header name spelled ${missing}: got ${show(got)}`
}

// ---------------------------------------------------------------- requests

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 })

/** Sends one request as it stands in the transcript. Returns { status, headers, rawNames, body }. */
export function send (target, request, env) {
  const payload = request.body64 !== undefined
    ? Buffer.from(request.body64, 'base64')
    : request.body !== undefined ? Buffer.from(env.fill(request.body), 'utf8') : null
  const headers = {}
  for (const [name, value] of Object.entries(request.headers ?? {})) {
    headers[name] = Array.isArray(value) ? value.map((v) => env.fill(v)) : env.fill(value)
  }
  const lower = Object.keys(headers).map((h) => h.toLowerCase())
  if (!lower.includes('content-length') && !lower.includes('transfer-encoding') && (payload || ['PUT', 'POST'].includes(request.method))) {
    headers['Content-Length'] = String(payload?.length ?? 0)
  }
  const [host, port] = [target.slice(0, target.lastIndexOf(':')), Number(target.slice(target.lastIndexOf(':') + 1))]
  const attempt = () => new Promise((resolve, reject) => {
    const req = http.request({ host, port, method: request.method, path: env.fill(request.path), headers, agent }, (res) => {
      const chunks = []
      res.on('data', (c) => chunks.push(c))
      res.on('error', reject)
      res.on('end', () => resolve({
        status: res.statusCode,
        headers: res.headers,
        rawNames: res.rawHeaders.filter((_, i) => i % 2 === 0),
        body: Buffer.concat(chunks),
      }))
    })
    req.setTimeout(60_000, () => req.destroy(new Error('no answer within 60 s')))
    req.on('error', (err) => { err.reused = req.reusedSocket; reject(err) })
    if (lower.includes('expect')) {
      req.on('continue', () => req.end(payload))
      req.flushHeaders()
    } else req.end(payload)
  })
  // A kept-alive connection that the server has just closed is no answer: try once more.
  return attempt().catch((err) => err.reused && err.code === 'ECONNRESET' ? attempt() : Promise.reject(err))
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Takes `header:NAME`, `header:NAME:REGEX` (first group) or `json:a.b.0` out of a response. */
export function capture (rule, response) {
  const [kind, ...rest] = rule.split(':')
  if (kind === 'json') return rest.join(':').split('.').reduce((v, k) => v?.[k], JSON.parse(response.body.toString('utf8')))
  const value = response.headers[rest[0]]
  if (rest.length === 1 || value === undefined) return value
  return new RegExp(rest.slice(1).join(':')).exec(value)?.[1]
}

/** Runs one step, again and again up to `within_ms` when it has one. Returns null or a difference. */
async function runStep (target, step, env) {
  if (step.wait_ms) await sleep(step.wait_ms)
  const deadline = Date.now() + (step.within_ms ?? 0)
  for (;;) {
    let difference
    try {
      const response = await send(target, step.request, env)
      difference = diffResponse(step.response, response, env)
      for (const [name, rule] of difference ? [] : Object.entries(step.capture ?? {})) {
        const value = capture(rule, response)
        if (value === undefined) difference = `capture ${name}: ${rule} not in the response`
        else env.set(name, String(value), 'capture')
      }
    } catch (err) {
      difference = `no response: ${err.message}`
    }
    if (!difference || Date.now() >= deadline) return difference
    await sleep(200)
  }
}

export function newEnv () {
  const env = new Env()
  env.set('bucket', `tr-${randomBytes(6).toString('hex')}`, 'bucket')
  return env
}

/** Runs one scenario in a fresh bucket. Returns null or { step, request, difference }. */
async function runScenario (target, scenario) {
  const env = newEnv()
  for (const [i, step] of scenario.steps.entries()) {
    const difference = await runStep(target, step, env)
    if (difference) return { step: i + 1, request: `${step.request.method} ${step.request.path}`, difference }
  }
  return null
}

/**
 * Runs the selected scenarios: { target: 'host:port', dir?, area?, name?, jobs? }.
 * Returns { target, passed, failed, areas, results: [{ area, name, passed, step?, request?, difference? }] }.
 */
export async function replay ({ target, dir = path.join(HERE, 'http'), area: onlyArea, name = '', jobs = 8, onResult = () => {} }) {
  const queue = []
  for (const file of fs.readdirSync(dir).filter((f) => f.endsWith('.json')).sort()) {
    const { area, scenarios } = JSON.parse(fs.readFileSync(path.join(dir, file), 'utf8'))
    if (onlyArea && area !== onlyArea) continue
    for (const scenario of scenarios) if (scenario.name.includes(name)) queue.push({ area, scenario })
  }
  const results = new Array(queue.length)
  let next = 0
  const worker = async () => {
    while (next < queue.length) {
      const i = next++
      const { area, scenario } = queue[i]
      const failure = await runScenario(target, scenario)
      results[i] = { area, name: scenario.name, passed: !failure, ...failure }
      onResult(results[i])
    }
  }
  await Promise.all(Array.from({ length: Math.min(jobs, queue.length) }, worker))
  agent.destroy()
  const areas = {}
  for (const r of results) {
    areas[r.area] ??= { passed: 0, failed: 0 }
    areas[r.area][r.passed ? 'passed' : 'failed']++
  }
  const passed = results.filter((r) => r.passed).length
  return { target, passed, failed: results.length - passed, areas, results }
}

// ---------------------------------------------------------------- command line

async function main () {
  const opts = { target: '127.0.0.1:8098', jobs: '8' }
  for (let i = 2; i < process.argv.length; i++) {
    const name = process.argv[i].replace(/^--/, '')
    if (name === 'json') opts.json = true
    else if (['target', 'dir', 'area', 'name', 'jobs'].includes(name) && i + 1 < process.argv.length) opts[name] = process.argv[++i]
    else { console.error(`unknown option ${process.argv[i]}\nusage: replay-http.mjs --target HOST:PORT [--dir DIR] [--area X] [--name SUBSTR] [--jobs N] [--json]`); process.exit(2) }
  }
  const { json, jobs, ...selection } = opts
  const report = await replay({
    ...selection,
    jobs: Number(jobs) || 1,
    onResult: (r) => { if (!r.passed && !json) console.log(`FAIL ${r.area} / ${r.name}: step ${r.step} ${r.request}\n     ${r.difference}`) },
  })
  if (json) console.log(JSON.stringify(report, null, 1))
  else {
    for (const [area, n] of Object.entries(report.areas)) console.log(`${area}: ${n.passed} passed, ${n.failed} failed`)
    console.log(`${report.passed} passed, ${report.failed} failed`)
  }
  process.exitCode = report.failed || !report.results.length ? 1 : 0
}

if (process.argv[1] && fs.realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) await main()
