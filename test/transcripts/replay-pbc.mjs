#!/usr/bin/env node
// Replays the recorded Protocol Buffers transcripts against a server and compares every reply.
//   node replay-pbc.mjs --target 127.0.0.1:8087 [--dir DIR] [--area X] [--name SUBSTR] [--jobs N]
//                       [--timeout MS] [--settle MS] [--skip TAG[,TAG]] [--json] [--list] [--verbose]
// Exit status: 0 all passed, 1 a scenario failed, 2 the run itself could not be made. The format is described in PBC.md.
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'

const HERE = path.dirname(fileURLToPath(import.meta.url))

// ---------------------------------------------------------------- catalogue and protobuf

export const catalogue = JSON.parse(fs.readFileSync(path.join(HERE, 'pbc', 'messages.json'), 'utf8'))
const byCode = new Map(Object.entries(catalogue).filter(([, m]) => m.code !== undefined).map(([n, m]) => [m.code, n]))
const byNumber = new Map()
const fieldsByNumber = name => {
  if (!byNumber.has(name)) byNumber.set(name, new Map(Object.entries(catalogue[name].fields).map(([k, f]) => [f[0], [k, f]])))
  return byNumber.get(name)
}

function varint (n) {
  n = BigInt.asUintN(64, BigInt(n))
  const out = []
  while (n > 127n) { out.push(Number(n & 127n) | 128); n >>= 7n }
  out.push(Number(n))
  return Buffer.from(out)
}
const zigzag = n => { n = BigInt(n); return n >= 0n ? n << 1n : (-n << 1n) - 1n }
const unzigzag = n => (n & 1n) ? -((n + 1n) >> 1n) : n >> 1n
const plain = n => (n <= BigInt(Number.MAX_SAFE_INTEGER) && n >= BigInt(Number.MIN_SAFE_INTEGER)) ? Number(n) : String(n)

function encodeValue (type, value, vars) {
  switch (type) {
    case 'bytes': { const b = bytes(value, vars); return [2, Buffer.concat([varint(b.length), b])] }
    case 'bool': return [0, varint(value ? 1 : 0)]
    case 'uint32': case 'uint64': case 'int32': case 'int64': return [0, varint(value)]
    case 'sint32': case 'sint64': return [0, varint(zigzag(value))]
    case 'float': { const b = Buffer.alloc(4); b.writeFloatLE(value); return [5, b] }
    default: {
      const def = catalogue[type]
      if (def.enum) return [0, varint(typeof value === 'number' ? value : def.enum[value])]
      const b = encodeMessage(type, value, vars)
      return [2, Buffer.concat([varint(b.length), b])]
    }
  }
}

export function encodeMessage (name, fields, vars) {
  const def = catalogue[name], parts = []
  if (!def) throw new Error(`no message ${name} in the catalogue`)
  for (const [k, v] of Object.entries(fields ?? {})) {
    const f = def.fields[k]
    if (!f) throw new Error(`${name} has no field ${k}`)
    for (const one of f[2] === 'repeated' ? v : [v]) {
      const [wire, body] = encodeValue(f[1], one, vars)
      parts.push(varint(f[0] << 3 | wire), body)
    }
  }
  return Buffer.concat(parts)
}

function readVarint (buf, at) {
  let n = 0n, shift = 0n, c
  do {
    if (at >= buf.length) throw new Error('truncated varint')
    c = buf[at++]; n |= BigInt(c & 127) << shift; shift += 7n
  } while (c & 128)
  return [n, at]
}

export function decodeMessage (name, buf) {
  const out = {}, known = fieldsByNumber(name)
  let at = 0
  while (at < buf.length) {
    let tag, raw
    ;[tag, at] = readVarint(buf, at)
    const wire = Number(tag & 7n), no = Number(tag >> 3n)
    if (wire === 0) [raw, at] = readVarint(buf, at)
    else if (wire === 2) {
      let n; [n, at] = readVarint(buf, at)
      if (at + Number(n) > buf.length) throw new Error('truncated field')
      raw = buf.subarray(at, at += Number(n))
    } else if (wire === 5) raw = buf.subarray(at, at += 4)
    else if (wire === 1) raw = buf.subarray(at, at += 8)
    else throw new Error(`wire type ${wire}`)
    const [key, f] = known.get(no) ?? [`#${no}`, [no, wire === 2 ? 'bytes' : wire === 0 ? 'uint64' : 'bytes', 'optional']]
    const v = decodeValue(f[1], raw)
    if (f[2] === 'repeated') (out[key] ??= []).push(v)
    else out[key] = v
  }
  return out
}

function decodeValue (type, raw) {
  switch (type) {
    case 'bytes': return Buffer.from(raw)
    case 'bool': return raw !== 0n
    case 'uint32': case 'uint64': return plain(BigInt.asUintN(64, raw))
    case 'int32': case 'int64': return plain(BigInt.asIntN(64, raw))
    case 'sint32': case 'sint64': return plain(unzigzag(raw))
    case 'float': return raw.readFloatLE(0)
    default: {
      const def = catalogue[type]
      if (def.enum) return Object.entries(def.enum).find(([, n]) => BigInt(n) === raw)?.[0] ?? Number(raw)
      return decodeMessage(type, raw)
    }
  }
}

export function frame (code, body) {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(body.length + 1); head[4] = code
  return Buffer.concat([head, body])
}

// ---------------------------------------------------------------- values of byte fields

// A byte string is written as text with {{name}} placeholders, {"b64"}, {"hex"}, {"repeat":[text,count]},
// {"etf":term} (Erlang external term format), {"message":Name,"fields":{…}} (an encoded message) or {"cat":[…]}.
export function bytes (value, vars) {
  if (Buffer.isBuffer(value)) return value
  if (typeof value === 'string') {
    const parts = []
    let at = 0
    for (const m of value.matchAll(/\{\{(\w+)\}\}/g)) {
      if (!vars.has(m[1])) throw new Error(`nothing was captured as ${m[1]}`)
      parts.push(Buffer.from(value.slice(at, m.index)), Buffer.from(vars.get(m[1])))
      at = m.index + m[0].length
    }
    parts.push(Buffer.from(value.slice(at)))
    return Buffer.concat(parts)
  }
  if (value?.b64 !== undefined) return Buffer.from(value.b64, 'base64')
  if (value?.hex !== undefined) return Buffer.from(value.hex.replaceAll(' ', ''), 'hex')
  if (value?.repeat) return Buffer.concat(Array.from({ length: value.repeat[1] }, () => bytes(value.repeat[0], vars)))
  if (value?.cat) return Buffer.concat(value.cat.map(v => bytes(v, vars)))
  if (value?.message) return encodeMessage(value.message, value.fields, vars)
  if (value?.etf !== undefined) return Buffer.concat([Buffer.from([131]), encodeTerm(value.etf, vars)])
  throw new Error(`not a byte string: ${JSON.stringify(value)}`)
}

// Erlang terms: numbers, {"atom"}, {"bin"} (byte string), {"tuple":[…]}, [list].
function encodeTerm (t, vars) {
  const u32 = n => { const b = Buffer.alloc(4); b.writeUInt32BE(n); return b }
  if (typeof t === 'number') { const b = Buffer.alloc(5); b[0] = 98; b.writeInt32BE(t, 1); return b }
  if (Array.isArray(t)) return t.length ? Buffer.concat([Buffer.from([108]), u32(t.length), ...t.map(x => encodeTerm(x, vars)), Buffer.from([106])]) : Buffer.from([106])
  if (t.atom !== undefined) { const b = Buffer.from(t.atom); return Buffer.concat([Buffer.from([100, b.length >> 8, b.length & 255]), b]) }
  if (t.tuple) return Buffer.concat([Buffer.from([104, t.tuple.length]), ...t.tuple.map(x => encodeTerm(x, vars))])
  const b = bytes(t.bin, vars)
  return Buffer.concat([Buffer.from([109]), u32(b.length), b])
}

export function decodeTerm (buf) {
  if (buf[0] !== 131) throw new Error('not an external term')
  let at = 1
  const term = () => {
    const tag = buf[at++]
    const take = n => buf.subarray(at, at += n)
    const u16 = () => { at += 2; return buf.readUInt16BE(at - 2) }
    const u32 = () => { at += 4; return buf.readUInt32BE(at - 4) }
    switch (tag) {
      case 97: return buf[at++]
      case 98: at += 4; return buf.readInt32BE(at - 4)
      case 70: at += 8; return buf.readDoubleBE(at - 8)
      case 100: case 118: { const n = u16(); return { atom: take(n).toString() } }
      case 115: case 119: { const n = buf[at++]; return { atom: take(n).toString() } }
      case 104: { const n = buf[at++]; return { tuple: Array.from({ length: n }, term) } }
      case 106: return []
      case 107: { const n = u16(); return [...take(n)] }
      case 108: { const n = u32(), l = Array.from({ length: n }, term), tail = term(); return Array.isArray(tail) ? l.concat(tail) : { improper: [l, tail] } }
      case 109: { const n = u32(), b = take(n); return { bin: show(b) } }
      case 110: { const n = buf[at++], neg = buf[at++]; let v = 0n; for (let i = n - 1; i >= 0; i--) v = v << 8n | BigInt(buf[at + i]); at += n; return plain(neg ? -v : v) }
      default: throw new Error(`term tag ${tag}`)
    }
  }
  return term()
}

export const isText = b => { const s = b.toString('utf8'); return !/[\u0000-\u0008\u000b-\u001f\u007f\ufffd]/.test(s) && Buffer.from(s).equals(b) }
export const show = v => Buffer.isBuffer(v) ? (isText(v) ? v.toString() : { b64: v.toString('base64') })
  : Array.isArray(v) ? v.map(show)
    : v && typeof v === 'object' ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, show(x)])) : v

// ---------------------------------------------------------------- connection

export class Connection {
  constructor (host, port, timeout) { Object.assign(this, { host, port, timeout, buf: Buffer.alloc(0), frames: [], closed: false, waiter: null }) }

  open () {
    return new Promise((resolve, reject) => {
      this.sock = net.connect({ host: this.host, port: this.port, noDelay: true }, resolve)
      this.sock.on('error', e => { this.closed = true; reject(e); this.wake() })
      this.sock.on('close', () => { this.closed = true; this.wake() })
      this.sock.on('end', () => { this.closed = true; this.wake() })
      this.sock.on('data', d => {
        this.buf = Buffer.concat([this.buf, d])
        while (this.buf.length >= 4) {
          const n = this.buf.readUInt32BE(0)
          if (this.buf.length < n + 4) break
          this.frames.push(this.buf.subarray(4, n + 4))
          this.buf = this.buf.subarray(n + 4)
        }
        this.wake()
      })
    })
  }

  wake () { const w = this.waiter; this.waiter = null; w?.() }
  write (b) { return new Promise(resolve => this.sock.write(b, () => resolve())) }
  end () { this.sock?.destroy() }

  // next reply: {message, fields, code} | 'closed' | 'nothing' (no reply within ms)
  async next (ms = this.timeout) {
    const until = Date.now() + ms
    for (;;) {
      if (this.frames.length) return decodeFrame(this.frames.shift())
      if (this.closed) return 'closed'
      const left = until - Date.now()
      if (left <= 0) return 'nothing'
      await new Promise(resolve => {
        const t = setTimeout(() => { if (this.waiter === w) this.waiter = null; resolve() }, left)
        const w = () => { clearTimeout(t); resolve() }
        this.waiter = w
      })
    }
  }
}

function decodeFrame (f) {
  if (!f.length) return { message: 'empty frame', fields: {} }
  const message = byCode.get(f[0])
  if (!message) return { message: `code ${f[0]}`, fields: { body: f.subarray(1) } }
  try { return { message, fields: decodeMessage(message, f.subarray(1)) } } catch (e) { return { message: `${message} (cannot be decoded: ${e.message})`, fields: { body: f.subarray(1) } } }
}

// ---------------------------------------------------------------- sending

const STREAMED = {
  RpbListKeysReq: ['RpbListKeysResp', ['keys']],
  RpbListBucketsReq: ['RpbListBucketsResp', ['buckets'], r => r.stream],
  RpbIndexReq: ['RpbIndexResp', ['keys', 'results'], r => r.stream],
  RpbMapRedReq: ['RpbMapRedResp', ['response']],
  RpbCSBucketReq: ['RpbCSBucketResp', ['objects']]
}
export const streamOf = send => { const s = STREAMED[send.message]; return s && (!s[2] || s[2](send.fields ?? {})) ? s : null }

export function encodeSend (send, vars) {
  if (Array.isArray(send)) return Buffer.concat(send.map(s => encodeSend(s, vars)))
  if (send.raw64 !== undefined) return Buffer.from(send.raw64, 'base64')
  if (send.raw !== undefined) return bytes(send.raw, vars)
  if (send.message) return frame(catalogue[send.message].code, encodeMessage(send.message, send.fields, vars))
  return frame(send.code, bytes(send.body ?? '', vars)) // {"code","body"}: any code with any body
}

export async function transmit (conn, step, vars) {
  const data = encodeSend(step.send, vars)
  if (!step.split) return conn.write(data)
  // split: size of each segment; the socket does not delay, and a pause keeps the segments apart
  for (let at = 0; at < data.length; at += step.split) { await conn.write(data.subarray(at, at + step.split)); await sleep(step.gap_ms ?? 2) }
}

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

// One reply, or a whole stream merged into one reply (lists appended; MapReduce results kept per phase).
export async function receive (conn, send, ms) {
  const stream = streamOf(send)
  if (!stream) return conn.next(ms)
  const [message, lists] = stream, all = {}, phases = new Map()
  for (;;) {
    const r = await conn.next(ms)
    if (r === 'closed' || r === 'nothing' || r.message !== message) return r
    for (const [k, v] of Object.entries(r.fields)) {
      if (message === 'RpbMapRedResp' && k !== 'done') { if (k === 'response') { const p = r.fields.phase ?? 0; phases.set(p, [...(phases.get(p) ?? []), v]) } } else if (lists.includes(k)) all[k] = [...(all[k] ?? []), ...v]
      else all[k] = v
    }
    if (r.fields.done) { if (message === 'RpbMapRedResp') all.phases = mergePhases(phases); return { message, fields: all } }
  }
}

// {"0": [results…]}; JSON and external-term payloads are parsed, other payloads stay bytes
function mergePhases (phases) {
  const out = {}
  for (const [p, list] of [...phases].sort((a, b) => a[0] - b[0])) {
    out[p] = list.flatMap(b => {
      let v
      try { v = b[0] === 131 ? decodeTerm(b) : JSON.parse(b.toString()) } catch { return [b] }
      return Array.isArray(v) ? v : [{ notAList: v }]
    })
  }
  return out
}

// ---------------------------------------------------------------- comparing

const UNORDERED = new Set(['content', 'keys', 'buckets', 'results', 'usermeta', 'indexes', 'set_value', 'gset_value', 'map_value', 'preflist', 'objects'])
const ORDERABLE = new Set(['keys', 'results', 'objects'])

function template (want, vars) { // text for comparing with text
  return want.replace(/\{\{(\w+)\}\}/g, (m, name) => vars.has(name) ? Buffer.from(vars.get(name)).toString('latin1') : m)
}

// undefined when equal, else a short difference
function differs (want, got, vars, opts, where) {
  const say = w => `${where}: ${w}`
  if (typeof want === 'string') {
    const g = Buffer.isBuffer(got) ? got : typeof got === 'object' && got ? null : Buffer.from(String(got))
    const m = want === '{{now}}' ? [want, 'now', ''] : /^\{\{([*?!~])([\s\S]*)\}\}$/.exec(want)
    if (m) {
      if (m[1] === '?') return undefined
      if (m[1] === '*') return g && !g.length ? say('expected some value, got an empty one') : undefined
      if (m[1] === 'now') return Math.abs(Number(got) - Date.now() / 1000) < 3600 ? undefined : say(`expected a recent time in seconds, got ${got}`)
      if (m[1] === '!') return g && g.length && !g.equals(Buffer.from(vars.get(m[2]) ?? '')) ? undefined : say(`expected a value different from the captured ${m[2]}`)
      if (m[1] === '~') return g && new RegExp(template(m[2], vars), 's').test(g.toString('latin1')) ? undefined : say(`expected a match of /${m[2]}/, got ${brief(got)}`)
    }
    if (!Buffer.isBuffer(got)) return typeof got === 'string' && got === template(want, vars) ? undefined : say(`expected ${brief(want)}, got ${brief(got)}`)
    return got.equals(bytes(want, vars)) ? undefined : say(`expected ${brief(bytes(want, vars))}, got ${brief(got)}`)
  }
  if (want && typeof want === 'object' && !Array.isArray(want)) {
    if (want.approx) return Math.abs(Number(got) - want.approx[0]) <= want.approx[1] ? undefined : say(`expected ${want.approx[0]}±${want.approx[1]}, got ${got}`)
    if (want.contains || want.lacks) {
      const list = got ?? []
      if (!Array.isArray(list)) return say('expected a list')
      for (const w of want.contains ?? []) if (!list.some(g => !differs(w, g, vars, opts, ''))) return say(`${brief(w)} is not in the list`)
      for (const w of want.lacks ?? []) if (list.some(g => !differs(w, g, vars, opts, ''))) return say(`${brief(w)} should not be in the list`)
      return undefined
    }
    if (Buffer.isBuffer(got)) {
      if (want.json !== undefined) { let v; try { v = JSON.parse(got.toString()) } catch { return say(`expected JSON, got ${brief(got)}`) } return differsJson(want.json, v, vars, opts.ordered) ? say(`expected ${brief(want.json)}, got ${brief(got)}`) : undefined }
      return got.equals(bytes(want, vars)) ? undefined : say(`expected ${brief(want)}, got ${brief(got)}`)
    }
    if (!got || typeof got !== 'object' || Array.isArray(got)) return say(`expected a message, got ${brief(got)}`)
    return differsFields(want, got, vars, opts, where)
  }
  if (Array.isArray(want)) {
    if (!Array.isArray(got)) return say(`expected a list, got ${brief(got)}`)
    return say('unexpected list')
  }
  return want === got || String(want) === String(got) ? undefined : say(`expected ${brief(want)}, got ${brief(got)}`)
}

function differsFields (want, got, vars, opts, where) {
  for (const [k, w] of Object.entries(want)) {
    const at = where ? `${where}.${k}` : k
    const absent = got[k] === undefined
    if (absent && (w === '{{?}}' || (Array.isArray(w) && !w.length) || (w?.lacks && !w.contains))) continue
    if (absent && !(w?.contains)) return `${at}: missing, expected ${brief(w)}`
    if (k === 'phases') { const d = differsPhases(w, got[k], vars, opts.ordered); if (d) return d; continue }
    if (Array.isArray(w)) {
      const d = differsList(w, got[k], vars, opts, at, UNORDERED.has(k) && !(opts.ordered && ORDERABLE.has(k)))
      if (d) return d
    } else { const d = differs(w, got[k], vars, opts, at); if (d) return d }
  }
  for (const [k, g] of Object.entries(got)) if (!(k in want)) return `${where ? `${where}.` : ''}${k}: not expected, got ${brief(g)}`
}

function differsList (want, got, vars, opts, where, unordered) {
  if (!Array.isArray(got)) return `${where}: expected a list`
  if (want.length !== got.length) return `${where}: expected ${want.length} items ${brief(want)}, got ${got.length} ${brief(got)}`
  if (!unordered) { for (let i = 0; i < want.length; i++) { const d = differs(want[i], got[i], vars, opts, `${where}[${i}]`); if (d) return d } return }
  // a perfect matching of expected with received items
  const owner = new Array(got.length).fill(-1)
  const place = (i, seen) => got.some((g, j) => {
    if (seen.has(j) || differs(want[i], g, vars, opts, '')) return false
    seen.add(j)
    if (owner[j] < 0 || place(owner[j], seen)) { owner[j] = i; return true }
    return false
  })
  for (let i = 0; i < want.length; i++) {
    if (!place(i, new Set())) return `${where}: no item like ${brief(want[i])}${got.length === 1 ? ` (${differs(want[i], got[0], vars, opts, '')})` : ''} in ${brief(got)}`
  }
}

const canonical = v => Array.isArray(v) ? `[${v.map(canonical)}]` : v && typeof v === 'object' ? `{${Object.keys(v).sort().map(k => `${JSON.stringify(k)}:${canonical(v[k])}`)}}` : JSON.stringify(v)

function differsPhases (want, got, vars, ordered) {
  if (canonical(Object.keys(want)) !== canonical(Object.keys(got))) return `phases: expected results of phases ${Object.keys(want)}, got ${Object.keys(got)}`
  for (const p of Object.keys(want)) {
    const w = want[p].map(x => resolveJson(x, vars)), g = got[p].map(x => Buffer.isBuffer(x) ? show(x) : x)
    if (w.length !== g.length) return `phase ${p}: expected ${brief(w)}, got ${brief(g)}`
    const left = [...g]
    for (const [i, x] of w.entries()) {
      const j = ordered ? (matchJson(x, g[i], vars) ? 0 : -1) : left.findIndex(y => matchJson(x, y, vars))
      if (j < 0) return `phase ${p}: expected ${brief(w)}, got ${brief(g)}`
      if (!ordered) left.splice(j, 1)
    }
  }
}

const resolveJson = (v, vars) => typeof v === 'string' ? template(v, vars) : Array.isArray(v) ? v.map(x => resolveJson(x, vars))
  : v && typeof v === 'object' ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, resolveJson(x, vars)])) : v
function matchJson (w, g, vars) {
  if (typeof w === 'string' && /^\{\{[*?]\}\}$/.test(w)) return g !== undefined
  if (typeof w === 'string' && w.startsWith('{{~') && w.endsWith('}}')) return typeof g === 'string' && new RegExp(w.slice(3, -2), 's').test(g)
  if (Array.isArray(w)) return Array.isArray(g) && w.length === g.length && w.every((x, i) => matchJson(x, g[i], vars))
  if (w && typeof w === 'object') return g && typeof g === 'object' && !Array.isArray(g) && canonical(Object.keys(w).sort()) === canonical(Object.keys(g).sort()) && Object.keys(w).every(k => matchJson(w[k], g[k], vars))
  return w === g
}
const differsJson = (w, g, vars) => !matchJson(resolveJson(w, vars), g, vars)

const brief = v => { const s = typeof v === 'string' ? v : JSON.stringify(show(v)) ?? String(v); return s.length > 220 ? `${s.slice(0, 220)}… (${s.length} characters)` : s }

export function compareReply (want, got, vars, opts = {}) {
  if (want === 'closed') return got === 'closed' ? undefined : `expected the connection to be closed, got ${brief(describe(got))}`
  if (got === 'closed') return `expected ${brief(describe(want))}, but the connection was closed`
  if (got === 'nothing') return `expected ${brief(describe(want))}, got no reply in time`
  if (want.anyOf) { const ds = want.anyOf.map(w => compareReply(w, got, vars, opts)); return ds.includes(undefined) ? undefined : ds[0] }
  if (want.error) {
    if (got.message !== 'RpbErrorResp') return `expected error ${brief(want.error.text)}, got ${brief(describe(got))}`
    // pretty-printed terms break lines by width: line breaks and the indentation after them do not count
    const joined = t => t.replace(/\n\s*/g, '')
    const fields = { ...got.fields, errmsg: Buffer.from(joined(String(got.fields.errmsg?.toString('latin1'))), 'latin1') }
    return differsFields({ errmsg: typeof want.error.text === 'string' ? joined(want.error.text) : want.error.text, errcode: want.error.code }, fields, vars, opts, '')
  }
  if (want.message !== got.message) return `expected ${want.message}, got ${brief(describe(got))}`
  return differsFields(want.fields ?? {}, got.fields, vars, opts, '')
}
const describe = r => typeof r === 'string' ? r : r.error ? { error: r.error } : { [r.message]: show(r.fields ?? {}) }

export function lookup (fields, at) { return at.split('.').reduce((v, k) => v?.[k], fields) }

// ---------------------------------------------------------------- running

export async function openConnection (target, timeout) { const c = new Connection(target.host, target.port, timeout); await c.open(); return c }

// vars that exist from the start; the bucket name is always 16 bytes long
export const freshVars = () => new Map([['bucket', Buffer.from(`pb-${randomBytes(8).toString('hex').slice(0, 13)}`)]])

export async function runScenario (sc, target, timeout, settle) {
  const vars = freshVars(), conns = new Map()
  try {
    for (const [i, step] of sc.steps.entries()) {
      const at = `step ${i + 1}`
      if (step.wait_ms) await sleep(step.wait_ms)
      if (step.settle_ms) await sleep(settle ?? step.settle_ms)
      const id = step.conn ?? 1
      let conn = conns.get(id)
      if (!conn || conn.closed) { try { conn = await openConnection(target, timeout) } catch (e) { return `${at}: cannot connect: ${e.message}` } conns.set(id, conn) }
      await transmit(conn, step, vars)
      const sends = Array.isArray(step.send) ? step.send : null
      let first = null
      for (const [j, want] of step.expect.entries()) {
        const got = await receive(conn, sends ? sends[j] ?? {} : step.send, want === 'closed' ? Math.min(timeout, 10000) : timeout)
        first ??= got
        const d = compareReply(want, got, vars, { ordered: step.ordered })
        if (d) return `${at}${step.expect.length > 1 ? `, reply ${j + 1}` : ''} (${sendName(step.send)}): ${d}`
        if (want !== 'closed' && j === 0 && step.capture) for (const [name, where] of Object.entries(step.capture)) {
          const v = lookup(got.fields, where)
          if (v === undefined) return `${at}: nothing to capture as ${name} at ${where}`
          vars.set(name, Buffer.isBuffer(v) ? v : Buffer.from(String(v)))
        }
      }
      if (!step.expect.length) { const got = await conn.next(300); if (got !== 'nothing') return `${at} (${sendName(step.send)}): expected no reply, got ${brief(describe(got))}` }
    }
    // each connection left open must still answer, and must hold no unread reply
    for (const conn of conns.values()) {
      if (conn.closed || sc.no_final_ping) continue
      await conn.write(frame(1, Buffer.alloc(0)))
      const got = await conn.next(timeout)
      if (got?.message !== 'RpbPingResp') return `after the last step: expected the answer of a ping, got ${brief(describe(got))}`
    }
  } catch (e) { return `cannot be run: ${e.message}` } finally { for (const c of conns.values()) c.end() }
}
const sendName = s => Array.isArray(s) ? s.map(sendName).join('+') : s.message ?? (s.code !== undefined ? `code ${s.code}` : 'raw bytes')

export function loadAreas (dir) {
  return fs.readdirSync(dir).filter(f => f.endsWith('.json') && f !== 'messages.json').sort()
    .map(f => JSON.parse(fs.readFileSync(path.join(dir, f), 'utf8'))).filter(a => Array.isArray(a.scenarios))
}

// Runs the selected scenarios: { target: 'host:port', dir?, area?, name?, jobs?, timeout?, settle?, skip?: [tag] }, times in ms.
// Returns { target, passed, failed, areas, results: [{ area, name, ok, ms, failure? }] }; rejects when the run cannot be made.
export async function replay ({ target: address, dir = path.join(HERE, 'pbc'), area, name, jobs = 4, timeout = 30000, settle, skip = [], onResult = () => {} }) {
  const target = parseAddress(address), queue = select({ dir, area, name, skip })
  if (!queue.length) throw new Error('no scenario was selected')
  try { (await openConnection(target, timeout)).end() } catch (e) { throw new Error(`cannot connect to ${address}: ${e.message}`) }
  const results = []
  await Promise.all(Array.from({ length: jobs }, async () => {
    for (let w; (w = queue.shift());) {
      const started = Date.now(), failure = await runScenario(w.sc, target, timeout, settle)
      const result = { area: w.area, name: w.sc.name, ok: !failure, ms: Date.now() - started, ...(failure ? { failure } : {}) }
      results.push(result)
      onResult(result)
    }
  }))
  const passed = results.filter(r => r.ok).length, areas = {}
  for (const r of results) { const a = areas[r.area] ??= { passed: 0, failed: 0 }; a[r.ok ? 'passed' : 'failed']++ }
  return { target: address, passed, failed: results.length - passed, areas, results }
}

const parseAddress = address => { const [host, port] = address.split(/:(?=\d+$)/); return { host, port: +(port ?? 8087) } }

function select ({ dir, area, name, skip }) {
  const work = []
  for (const a of loadAreas(dir)) {
    if (area && a.area !== area) continue
    for (const sc of a.scenarios) if ((!name || sc.name.includes(name)) && !sc.tags?.some(t => skip.includes(t))) work.push({ area: a.area, sc })
  }
  return work
}

async function main () {
  const args = process.argv.slice(2), opt = {}
  while (args.length) { const a = args.shift(); if (!a.startsWith('--')) throw new Error(`unknown argument ${a}`); opt[a.slice(2)] = args.length && !args[0].startsWith('--') ? args.shift() : true }
  if (!opt.target && !opt.list) throw new Error('--target HOST:PORT is missing')
  const dir = path.resolve(opt.dir ?? path.join(HERE, 'pbc')), skip = String(opt.skip ?? '').split(',').filter(Boolean)
  if (opt.list) { for (const { area, sc } of select({ dir, area: opt.area, name: opt.name, skip })) console.log(`${area}\t${sc.name}${sc.tags ? `\t[${sc.tags}]` : ''}`); return 0 }
  const report = await replay({
    target: String(opt.target), dir, area: opt.area, name: opt.name, jobs: +(opt.jobs ?? 4), timeout: +(opt.timeout ?? 30000), settle: opt.settle === undefined ? undefined : +opt.settle, skip,
    onResult: r => { if (!opt.json && r.failure) console.log(`FAIL ${r.area} / ${r.name}: ${r.failure}`); else if (!opt.json && opt.verbose) console.log(`ok   ${r.area} / ${r.name} (${r.ms} ms)`) }
  })
  if (opt.json) console.log(JSON.stringify(report, null, 1))
  else {
    for (const [a, c] of Object.entries(report.areas).sort()) console.log(`${a.padEnd(24)} ${c.passed} passed, ${c.failed} failed`)
    console.log(`${report.passed} passed, ${report.failed} failed`)
  }
  return report.failed ? 1 : 0
}

if (process.argv[1] && fs.realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main().then(code => { process.exitCode = code }, e => { console.error(`replay-pbc: ${e.message}`); process.exitCode = 2 })
}
