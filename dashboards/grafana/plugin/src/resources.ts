// What the editors ask the back end: which streams, views, leaderboards, columns and macros
// there are, and whether a text is right. Lists are kept for a short while, since each panel's
// editor asks for the same ones; a failure is not kept.
import { isFetchError } from '@grafana/runtime';

export interface Column {
  name: string;
  type: string;
  /** Of a view's column `group`, `window`, `measure`, or `derived` from groups; of a stream's `column` or `time`. */
  role?: string;
}

export interface Stream {
  name: string;
  columns: Column[];
}

export interface View {
  name: string;
  stream: string;
  columns: Column[];
  state?: string;
}

export interface Leaderboard {
  name: string;
  windows?: string[];
}

export interface Macro {
  /** With its dollar: `$__timeFilter`. */
  name: string;
  /** What stands in its parentheses; null where it has none. */
  args: string[] | null;
  help: string;
}

export type Check = { ok: true } | { ok: false; line?: number; column?: number; detail: string; hint?: string };

/** What of the data source is needed to reach its back end. */
export interface Backend {
  getResource<T>(path: string, params?: Record<string, string>, options?: { showErrorAlert: boolean }): Promise<T>;
  postResource<T>(path: string, data: Record<string, unknown>, options?: { showErrorAlert: boolean }): Promise<T>;
}

const keepMs = 30_000;

// The editors show an error where it belongs, not in a corner of the page.
const quietly = { showErrorAlert: false };

export class Resources {
  private readonly kept = new Map<string, { until: number; answer: Promise<unknown> }>();

  constructor(private readonly backend: Backend) {}

  streams(): Promise<Stream[]> {
    return this.list('streams');
  }

  views(): Promise<View[]> {
    return this.list('views');
  }

  leaderboards(): Promise<Leaderboard[]> {
    return this.list('leaderboards');
  }

  columns(table: string): Promise<Column[]> {
    return this.list('columns', { table });
  }

  macros(): Promise<Macro[]> {
    return this.list('macros');
  }

  /** The functions that SQL may call. */
  functions(): Promise<string[]> {
    return this.list('functions');
  }

  /** The values of a group column, as they are now. */
  async values(view: string, column: string): Promise<string[]> {
    return (await this.backend.getResource<string[] | null>('values', { view, column }, quietly)) ?? [];
  }

  checkSQL(sql: string): Promise<Check> {
    return this.backend.postResource('check-sql', { sql }, quietly);
  }

  /** checkWhere judges a condition by the rules of views, which know less than SQL; positions are within where. */
  checkWhere(view: string, where: string): Promise<Check> {
    return this.backend.postResource('check-where', { view, where }, quietly);
  }

  /** forget makes the next question go to the back end. */
  forget(): void {
    this.kept.clear();
  }

  private list<T>(path: string, params: Record<string, string> = {}): Promise<T[]> {
    const key = `${path}?${new URLSearchParams(params)}`;
    const kept = this.kept.get(key);
    if (kept && kept.until > Date.now()) {
      return kept.answer as Promise<T[]>;
    }
    // Go writes an empty list as null.
    const answer = this.backend.getResource<T[] | null>(path, params, quietly).then((list) => list ?? []);
    this.kept.set(key, { until: Date.now() + keepMs, answer });
    answer.catch(() => this.kept.delete(key));
    return answer;
  }
}

/** errorText is what a failed question says to the user: what the back end wrote, where it wrote anything. */
export function errorText(error: unknown): string {
  if (isFetchError<{ error?: string; message?: string; hint?: string } | undefined>(error)) {
    const told = error.data?.error || error.data?.message || error.statusText || `HTTP status ${error.status}`;
    return error.data?.hint ? `${told} (${error.data.hint})` : told;
  }
  return error instanceof Error ? error.message : String(error);
}
