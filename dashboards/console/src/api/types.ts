// The answers of the API that the console reads; docs/api.md and /openapi.json say more.

import type { Value } from './exact.ts';

export interface WhoAmI {
  id: string;
  name: string;
  role: string;
  objects: string[];
}

export interface Column {
  name: string;
  type: string;
}

export interface ViewColumn extends Column {
  /** `derived` is reckoned from groups and cannot be grouped by itself. */
  role: 'group' | 'window' | 'derived' | 'measure';
}

export interface Stream {
  name: string;
  sql: string;
  columns: Column[];
  event_time: string;
  partitions: number;
  retention: string;
  partition_by?: string[];
  dedupe_key?: string[];
  /** Since the server started. */
  events: number;
  lake_rows: number;
  rejected: number;
  /** The newest entry of each partition. */
  head: number[];
}

export interface View {
  name: string;
  stream: string;
  sql: string;
  columns: ViewColumn[];
  window: number | null;
  /** Seconds: ranges and steps are made of whole ones. */
  pane: number;
  schedule: string;
  generation: number;
  cut: number | null;
  cut_time: string | null;
  next_run: string | null;
  rows: number;
  state: string;
  error?: string;
}

export interface Pulse {
  at: string;
  version: string;
  uptime_ms: number;
  healthy: boolean;
  problems: { part: string; detail: string }[];
  steps: {
    ingest: { events: number; events_per_s: number; bytes_per_s: number; requests_per_s: number; rejected: number; rejected_per_s: number };
    log: { partitions: number; entries: number };
    speed: { views: number; lag_ms: number; behind: number };
    /** Null where no epoch is whole yet. */
    lake: { epoch: number | null; lag_ms: number | null; files: number; rows: number; bytes: number };
    batch: { running: number; last_run: string | null; next_run: string | null; failures: number; drifting: number };
    /** Null for who may not see figures of every view at once; `p99_ms` where nothing was asked. */
    serving: { queries_per_s: number; p99_ms: number | null; streams: number } | null;
  };
  streams: { name: string; events: number; events_per_s: number; rejected: number; rejected_per_s: number; lake_rows: number; lag_ms: number }[];
  views: Beat[];
  boards: Beat[];
}

/** How a view or leaderboard is at this moment. */
export interface Beat {
  name: string;
  stream: string;
  generation: number;
  cut: number | null;
  cut_time: string | null;
  lag_ms: number;
  complete: boolean;
  next_run: string | null;
  running: boolean;
  state: 'ready' | 'backfilling' | 'starting' | 'stalled';
}

export interface Partition {
  partition: number;
  position: number;
  head: number;
  arrival: string;
  lag_ms: number;
}

export interface Provenance {
  generation: number;
  cut: number | null;
  cut_time: string | null;
  partitions: Partition[];
  lag_ms: number;
  complete: boolean;
  rejected: number;
  from?: string;
  to?: string;
}

export interface ViewAnswer {
  meta: Column[];
  data: Record<string, Value>[];
  rows: number;
  provenance: Provenance;
}

export interface Board {
  name: string;
  stream: string;
  member: string;
  member_type: string;
  score: string;
  order: 'asc' | 'desc';
  tie: string;
  windows: string[];
  keep?: string;
  batch: string;
  sql: string;
}

export interface BoardRow {
  rank: number | null;
  member: Value;
  score: Value;
}

export interface BoardProvenance {
  partitions: Partition[];
  lag_ms: number;
  complete: boolean;
  rejected: number;
}

export interface BoardAnswer {
  leaderboard: string;
  window: { name: string; start?: string; end?: string };
  members: number;
  rows: BoardRow[];
  next?: string;
  provenance: BoardProvenance;
}

export interface Drift {
  /** The epochs after it up to `to`; null: from the beginning. */
  from: number | null;
  to: number | null;
  batch_events: number;
  speed_events: number;
  comparable: boolean;
}

export interface BatchRun {
  view: string;
  kind: 'batch' | 'rebuild' | 'backfill';
  started: string;
  finished: string | null;
  state: string;
  error?: string;
  generation: number;
  cut: number | null;
  rows: number;
  days: number;
  drift: Drift | null;
}

export interface RefusedStream {
  stream: string;
  rejected: number;
  newest: string | null;
  /** Of so many of the newest letters the reasons are. */
  counted: number;
  reasons: { reason: string; count: number; newest: string }[];
}

export interface DeadLetter {
  arrival: string;
  line: number;
  reason: string;
  raw: string;
  raw_base64?: string;
  format?: string;
  header?: string;
}

export interface Delivery {
  to: string;
  state: string;
  attempts: number;
  next_attempt?: string | null;
  error?: string;
}

export interface ReportRun {
  id: string;
  /** Of the schedule; of a run by hand, when it was asked for. */
  tick: string;
  by_hand: boolean;
  state: 'running' | 'waiting' | 'delivered' | 'failed' | 'missed';
  started: string | null;
  finished: string | null;
  attempts: number;
  next_attempt: string | null;
  /** Why there is no document. */
  error?: string;
  /** The name of the kept document; none: there is none. */
  document?: string;
  rows: number;
  bytes: number;
  generations: { name: string; generation: number; cut: number | null }[] | null;
  deliveries: Delivery[] | null;
  /** Of a missed run: how many ticks, up to `tick`. */
  missed_ticks?: number;
}

export interface Report {
  name: string;
  sql: string;
  schedule: string;
  time_zone: string;
  format: string;
  /** Empty: none. */
  chart: string;
  /** Recipients; of webhooks the host only. */
  deliver: string[];
  missed: 'run_last' | 'skip' | 'run_all';
  next: string | null;
  last: ReportRun | null;
}
