// Asks a ClickHouse endpoint through @clickhouse/client as an application would, and
// prints what it was told as one line of JSON.
// Usage: node client.mjs URL DATABASE TABLE STATEMENT [TOKEN]
import { ClickHouseLogLevel, createClient } from '@clickhouse/client'

const [url, database, table, statement, token] = process.argv.slice(2)
// The refusal below is expected, and no news.
const options = { url, database, log: { level: ClickHouseLogLevel.OFF }, ...(token ? { password: token } : {}) }
const client = createClient(options)
const zipped = createClient({ ...options, compression: { response: true } })

const rows = async (from, query, query_params) =>
  await (await from.query({ query, query_params, format: 'JSONEachRow' })).json()

try {
  const ping = await client.ping()
  const select = await client.ping({ select: true })
  const databases = (await rows(client, 'SHOW DATABASES')).map((r) => r.name)
  const tables = (await rows(client, 'SELECT name FROM system.tables WHERE database = {d:String} ORDER BY name', { d: database })).map((r) => r.name)
  const columns = await rows(client,
    'SELECT name, type FROM system.columns WHERE database = {d:String} AND table = {t:String} ORDER BY position', { d: database, t: table })
  const stream = await client.query({ query: statement, format: 'JSON' })
  const answer = await stream.json()
  const compressed = await rows(zipped, statement)
  let refusal
  try {
    await client.command({ query: `CREATE TABLE x (a Int8) ENGINE = Memory` })
  } catch (e) {
    refusal = { code: e.code, type: e.type }
  }
  console.log(JSON.stringify({
    ping: ping.success, select: select.success, databases, tables, columns,
    data: answer.data, rows: answer.rows, compressed, provenance: stream.response_headers['millrace-provenance'], refusal,
  }))
} finally {
  await client.close()
  await zipped.close()
}
