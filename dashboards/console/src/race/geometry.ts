// Where the water of the overview runs: a mill race from the clients to the wheel, in
// pixels of the space that there is. Wide pages have it from left to right, phones from
// the top to the bottom.

export type StationName = 'clients' | 'ingest' | 'log' | 'speed' | 'lake' | 'batch' | 'serving';

export interface Station {
  /** The point on the water. */
  x: number;
  y: number;
  /** Where the words begin, and how wide they may be. */
  left: number;
  top: number;
  width: number;
  /** Words above the water end at `top`; else they begin there. */
  above: boolean;
}

export interface Channel {
  kind: 'trunk' | 'speed' | 'batch';
  path: string;
}

export interface Race {
  tall: boolean;
  width: number;
  height: number;
  stations: Record<StationName, Station>;
  channels: Channel[];
  /** Where refused events leave. */
  spill: { path: string; left: number; top: number };
}

const tallBelow = 760;

export function race(width: number): Race {
  return width < tallBelow ? tall(width) : wide(width);
}

function wide(width: number): Race {
  const upper = 92;
  const middle = 168;
  const lower = 238;
  const at = (share: number): number => Math.round(width * share);
  const words = at(0.15);
  const station = (share: number, y: number, above = false): Station => ({
    x: at(share), y, left: Math.min(Math.max(at(share) - 10, 0), width - words), top: above ? y - 22 : y + 24, width: words, above,
  });
  const stations: Record<StationName, Station> = {
    clients: station(0.012, middle),
    ingest: station(0.165, middle),
    log: station(0.34, middle),
    speed: station(0.6, upper, true),
    lake: station(0.53, lower),
    batch: station(0.7, lower),
    serving: { ...station(0.9, middle), top: middle + 36 },
  };
  const fork = at(0.41);
  const joint = at(0.87);
  const bend = at(0.07);
  const branch = (y: number): string =>
    `M${fork} ${middle} C${fork + bend / 2} ${middle} ${fork + bend / 2} ${y} ${fork + bend} ${y} H${joint - bend} C${joint - bend / 2} ${y} ${joint - bend / 2} ${middle} ${joint} ${middle}`;
  const spillX = at(0.285);
  return {
    tall: false, width, height: 330, stations,
    channels: [
      { kind: 'trunk', path: `M0 ${middle} H${fork}` },
      { kind: 'batch', path: branch(lower) },
      { kind: 'speed', path: branch(upper) },
      { kind: 'trunk', path: `M${joint} ${middle} H${width}` },
    ],
    spill: { path: `M${spillX - 14} ${middle} C${spillX} ${middle} ${spillX} ${middle + 8} ${spillX} ${middle + 30} V268`, left: spillX - 10, top: 276 },
  };
}

function tall(width: number): Race {
  const row = 82;
  const trunk = 40;
  const left = 92;
  const order: StationName[] = ['clients', 'ingest', 'log', 'speed', 'lake', 'batch', 'serving'];
  const lane: Record<StationName, number> = { clients: trunk, ingest: trunk, log: trunk, speed: 58, lake: 22, batch: 22, serving: trunk };
  const y = (n: number): number => 30 + n * row + (n >= 2 ? 46 : 0); // below ingest stands what was refused
  const stations = Object.fromEntries(order.map((name, n) => [
    name, { x: lane[name], y: y(n), left, top: y(n) - 26, width: width - left, above: false },
  ])) as Record<StationName, Station>;
  const fork = y(2) + 22;
  const joint = y(6) - 22;
  const branch = (x: number): string =>
    `M${trunk} ${fork} C${trunk} ${fork + 22} ${x} ${fork + 12} ${x} ${fork + 36} V${joint - 36} C${x} ${joint - 12} ${trunk} ${joint - 22} ${trunk} ${joint}`;
  const spillY = y(1) + 40;
  return {
    tall: true, width, height: y(6) + 60, stations,
    channels: [
      { kind: 'trunk', path: `M${trunk} 0 V${fork}` },
      { kind: 'batch', path: branch(22) },
      { kind: 'speed', path: branch(58) },
      { kind: 'trunk', path: `M${trunk} ${joint} V${y(6) + 60}` },
    ],
    spill: { path: `M${trunk} ${spillY} C${trunk} ${spillY + 18} ${trunk + 10} ${spillY + 22} ${left - 12} ${spillY + 22}`, left, top: spillY + 10 },
  };
}

/** How wide a channel with so many events a second is: it tells 10 from 1,000, and both fit. */
export function channelWidth(eventsPerSecond: number): number {
  return 5 + 2.6 * Math.log10(1 + Math.max(0, eventsPerSecond));
}

/** In which time the water moves by one wave, in seconds; 0: it stands. */
export function wavePeriod(eventsPerSecond: number): number {
  return eventsPerSecond <= 0 ? 0 : 6 / Math.log10(10 + eventsPerSecond);
}
