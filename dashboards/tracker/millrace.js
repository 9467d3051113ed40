// Millrace's tracker: page views and custom events of a web page into a stream.
//
//   <script async src="https://HOST/millrace.js" data-stream="pages" data-key="mr_…"></script>
//   millrace('purchase', { price: 3 })
//
// Events gather into batches. A batch is written to localStorage before it is sent, under
// a key of its own, and removed once the server has acknowledged it; so it survives a
// reload, an offline spell and the end of the page. It is sent again under the same
// idempotency key, by any tab, and each event has an id of its own: what arrives twice
// counts once. See docs/tracker.md.
(() => {
  const w = window, d = document, n = navigator, script = d.currentScript
  if (!script || w.millrace?.on) return
  const { stream, key } = script.dataset
  const prefix = 'millrace:' + stream + ':'
  const early = w.millrace?.q || []

  const GATHER_MS = 1000 // how long events gather
  const GATHER_EVENTS = 20
  const KEEP_BYTES = 262144 // of all batches that wait, of the 5 MB that a site has
  const KEEP_MS = 864e5 // a day: then a batch that could not be sent is given up
  // A batch whose fate is not known is sent again for 50 minutes only: within the hour
  // for which a stream remembers the ids of events unless it says otherwise.
  const DOUBT_MS = 3e6
  const PAUSE_MS = 1000, PAUSE_MAX_MS = 3e5 // between tries; doubles from the one to the other

  // What fails in here must not be seen by the page.
  const safe = (f) => (...a) => {
    try { return f(...a) } catch {}
  }
  const storage = (name) => safe(() => w[name])() || {}
  const random = () =>
    [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('')
  const now = Date.now

  let store = storage('localStorage')
  const tab = storage('sessionStorage')
  const waiting = () => Object.keys(store).filter((k) => k.startsWith(prefix)).sort()

  // Whoever asks not to be tracked is not, and what was kept before goes.
  if (n.globalPrivacyControl || n.doNotTrack == 1 || w.doNotTrack == 1) {
    w.millrace = () => {}
    safe(() => {
      waiting().concat('millrace:visitor').map((k) => delete store[k])
      delete tab['millrace:session']
    })()
    return
  }

  const remembered = safe((where, name) => (where[name] ||= random()))
  const visitor = remembered(store, 'millrace:visitor')
  const session = remembered(tab, 'millrace:session')

  // A batch is kept as the time at which it is given up, a space, and its events. The name
  // that it is kept under ends in its time and its idempotency key.
  const keep = (k, until, body) => {
    try {
      store[k] = until + ' ' + body
    } catch {
      store = { [k]: until + ' ' + body } // no room: in memory from here on
    }
  }
  const eventsOf = (k) => (store[k] || '').replace(/^\d+ /, '')
  const target = (k) =>
    new URL(`v1/streams/${encodeURIComponent(stream)}/events?key=${encodeURIComponent(key || '')}&idempotency_key=` + k.slice(-32), script.src)

  let gathered = [], gathering, sending, waited, pause = PAUSE_MS, told = {}

  // close makes a batch of what has gathered, and lets go of what is too old or too much.
  const close = () => {
    clearTimeout(gathering)
    gathering = 0
    if (gathered.length) keep(prefix + now() + random(), now() + KEEP_MS, gathered.join('\n'))
    gathered = []
    let bytes = 0
    for (const k of waiting().reverse()) {
      bytes += store[k]?.length
      if (bytes > KEEP_BYTES || parseInt(store[k]) < now()) delete store[k]
    }
  }

  // send sends the oldest batch, and then the others.
  const send = async () => {
    try {
      close()
      const k = waiting()[0]
      if (!k || sending || waited || n.onLine === false) return
      const body = eventsOf(k)
      sending = told[k] = 1
      keep(k, now() + DOUBT_MS, body)
      const status = await fetch(target(k), { method: 'POST', body, credentials: 'omit', keepalive: body.length < 6e4 })
        .then((r) => r.status, () => 0)
      sending = 0
      if (status && status < 500 && status != 429 && status != 408) {
        delete store[k] // acknowledged, or refused for good
        pause = PAUSE_MS
        send()
      } else {
        delete told[k]
        keep(k, +k.slice(prefix.length, -32) + KEEP_MS, body)
        waited = setTimeout(again, pause * (1 + Math.random()))
        pause = Math.min(2 * pause, PAUSE_MAX_MS)
      }
    } catch {}
  }
  const again = () => {
    clearTimeout(waited)
    waited = 0
    send()
  }

  // leave hands everything to the browser, which sends it when the page is gone.
  const leave = safe(() => {
    close()
    for (const k of n.onLine === false ? [] : waiting()) {
      const body = eventsOf(k)
      if (!told[k] && n.sendBeacon(target(k), body)) {
        told[k] = 1
        keep(k, now() + DOUBT_MS, body)
      }
    }
  })

  let shown, before = d.referrer
  const track = safe((type, props) => {
    gathered.push(JSON.stringify({
      id: random(), ts: new Date(), type, url: location.href, page: location.pathname, referrer: before, title: d.title,
      screen: screen.width + 'x' + screen.height, language: n.language, session, visitor, props,
    }))
    if (gathered.length < GATHER_EVENTS) gathering ||= setTimeout(send, GATHER_MS)
    else send()
  })
  track.on = 1
  w.millrace = track

  // A page view is a new address, also where a script changes it.
  const view = () => {
    if (shown == location.href) return
    before = shown || before
    shown = location.href
    track('page_view')
  }
  const push = history.pushState
  history.pushState = function (...a) {
    push.apply(this, a)
    setTimeout(view)
  }
  const on = (where, what, f) => where.addEventListener(what, f)
  on(w, 'popstate', view)
  on(w, 'online', again)
  on(w, 'pagehide', leave)
  on(d, 'visibilitychange', () => (d.hidden ? leave : send)())
  on(w, 'pageshow', (e) => {
    if (!e.persisted) return
    shown = '' // the page comes back as it was left: a view once more
    view()
  })
  if (d.prerendering) on(d, 'prerenderingchange', view)
  else view()
  early.forEach((a) => track(...a))
  send()
})()
