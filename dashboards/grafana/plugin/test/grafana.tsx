// A Grafana for tests, faked at the interfaces that it publishes to plugins: its server behind
// getBackendSrv, its variables behind getTemplateSrv, its live channels behind getGrafanaLiveSrv. What plugins draw with is real.
import {
  createTheme,
  PluginType,
  ThemeContext,
  type DataQueryResponse,
  type DataSourceInstanceSettings,
  type LiveChannelAddress,
  type ScopedVars,
  type TypedVariableModel,
} from '@grafana/data';
import {
  setBackendSrv,
  setGrafanaLiveSrv,
  setTemplateSrv,
  type BackendSrv,
  type BackendSrvRequest,
  type FetchError,
  type FetchResponse,
  type GrafanaLiveSrv,
  type LiveDataStreamOptions,
  type TemplateSrv,
} from '@grafana/runtime';
import { GlobalStyles } from '@grafana/ui';
import { render } from '@testing-library/react';
import React, { type ReactNode } from 'react';
import { defer, Subject, type Observable } from 'rxjs';

import { MillraceDataSource } from '../src/datasource';
import type { MillraceOptions } from '../src/query';

const uid = 'millrace-uid';
const resourceRoot = `/api/datasources/uid/${uid}/resources/`;

type Respond = (request: BackendSrvRequest) => unknown;

/** Failure is what a route answers with instead of a value. */
export class Failure {
  constructor(
    readonly status: number,
    readonly data: { error?: string; message?: string; hint?: string }
  ) {}
}

/** FakeServer is Grafana's server with the plugin's back end in it. A question that it has no answer for is a fault of the test. */
export class FakeServer {
  readonly asked: BackendSrvRequest[] = [];
  private readonly answers = new Map<string, Respond>();

  /** resource sets what the back end answers with on a resource's path. */
  resource(path: string, answer: unknown): this {
    this.answers.set(resourceRoot + path, typeof answer === 'function' ? (answer as Respond) : () => answer);
    return this;
  }

  /** queries sets what the back end answers queries with. */
  queries(answer: unknown): this {
    this.answers.set('/api/ds/query', typeof answer === 'function' ? (answer as Respond) : () => answer);
    return this;
  }

  /** to lists the requests of a resource or, for 'query', of queries. */
  to(path: string): BackendSrvRequest[] {
    const url = path === 'query' ? '/api/ds/query' : resourceRoot + path;
    return this.asked.filter((r) => r.url.split('?')[0] === url);
  }

  fetch<T>(request: BackendSrvRequest): Observable<FetchResponse<T>> {
    return defer(async () => {
      this.asked.push(request);
      const respond = this.answers.get(request.url.split('?')[0] ?? '');
      if (!respond) {
        throw new Error(`the test has no answer for ${request.method} ${request.url}`);
      }
      const answer = await respond(request);
      if (answer instanceof Failure) {
        const error: FetchError = { status: answer.status, statusText: '', data: answer.data, config: request };
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- what Grafana's fetch fails with is no Error
        throw error;
      }
      return { data: answer as T, status: 200, statusText: 'OK', ok: true, headers: new Headers(), config: request } as FetchResponse<T>;
    });
  }
}

type Value = string | number | Array<string | number>;

/** What is chosen for each variable of the dashboard. */
type Variables = Record<string, Value>;

/**
 * FakeTemplates holds variables, each with the value that is chosen. The patterns and the order
 * of things are Grafana's: a format in the text wins over that of the caller, and an unknown variable stays as it is.
 */
export class FakeTemplates implements TemplateSrv {
  constructor(private readonly values: Variables) {}

  getVariables(): TypedVariableModel[] {
    return Object.keys(this.values).map((name) => ({ name, type: 'query' }) as TypedVariableModel);
  }

  replace(target = '', scopedVars: ScopedVars = {}, format?: string | ((value: unknown) => string)): string {
    return target.replace(/\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]|\$\{(\w+)(?::([^}]+))?\}/g, (match: string, ...[a, b, formatB, c, formatC]: Array<string | undefined>) => {
      const name = a ?? b ?? c ?? '';
      const value = (scopedVars[name]?.value as Value | undefined) ?? this.values[name];
      if (value === undefined) {
        return match;
      }
      const asked = formatB ?? formatC;
      if (asked === 'raw') {
        return Array.isArray(value) ? value.join(',') : String(value);
      }
      if (asked !== undefined) {
        throw new Error(`the fake has no format ${asked}`);
      }
      return typeof format === 'function' ? format(value) : String(value);
    });
  }

  containsTemplate(target = ''): boolean {
    return this.replace(target, {}, () => '') !== target;
  }

  updateTimeRange(): void {}
}

/** FakeLive has channels that a test sends on. */
export class FakeLive {
  readonly subscribed: LiveDataStreamOptions[] = [];
  readonly messages = new Subject<DataQueryResponse>();

  getDataStream(options: LiveDataStreamOptions): Observable<DataQueryResponse> {
    this.subscribed.push(options);
    return this.messages;
  }

  /** The address of the last channel, as Grafana takes it apart. */
  address(): LiveChannelAddress | undefined {
    return this.subscribed.at(-1)?.addr;
  }
}

export interface Grafana {
  server: FakeServer;
  live: FakeLive;
  datasource: MillraceDataSource;
}

/** startGrafana makes a Grafana with one Millrace data source and these variables. */
export function startGrafana(variables: Variables = {}): Grafana {
  const server = new FakeServer();
  const live = new FakeLive();
  setBackendSrv(server as unknown as BackendSrv);
  setTemplateSrv(new FakeTemplates(variables));
  setGrafanaLiveSrv(live as unknown as GrafanaLiveSrv);
  return { server, live, datasource: new MillraceDataSource(settings) };
}

const settings: DataSourceInstanceSettings<MillraceOptions> = {
  id: 1,
  uid,
  type: 'millrace-millrace-datasource',
  name: 'Millrace',
  access: 'proxy',
  readOnly: false,
  jsonData: {},
  meta: {
    id: 'millrace-millrace-datasource',
    name: 'Millrace',
    type: PluginType.datasource,
    module: '',
    baseUrl: '',
    info: {
      author: { name: 'Millrace' },
      description: '',
      links: [],
      logos: { small: '', large: '' },
      screenshots: [],
      updated: '',
      version: '',
    },
  },
};

/** show renders as Grafana does, in one of its themes. */
export function show(what: ReactNode, mode: 'dark' | 'light' = 'dark') {
  const theme = createTheme({ colors: { mode } });
  return render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <main style={{ background: theme.colors.background.primary, padding: 16, minHeight: 400 }}>{what}</main>
    </ThemeContext.Provider>
  );
}

/** The answers of a server with one view, one leaderboard and one stream. */
export const views = [
  {
    name: 'page_hits',
    stream: 'clicks',
    state: 'ready',
    columns: [
      { name: 'page', type: 'String', role: 'group' },
      { name: 'country', type: 'String', role: 'group' },
      { name: 'window_start', type: 'DateTime64(3)', role: 'window' },
      { name: 'hits', type: 'UInt64', role: 'measure' },
      { name: 'users', type: 'UInt64', role: 'measure' },
    ],
  },
  {
    name: 'fresh_view',
    stream: 'clicks',
    state: 'backfilling',
    columns: [{ name: 'n', type: 'UInt64', role: 'measure' }],
  },
];

export const leaderboards = [{ name: 'top_players', windows: ['all', 'day'] }];

export const streams = [{ name: 'clicks', columns: [{ name: 'ts', type: 'DateTime64(3)', role: 'time' }] }];
