import { cleanup, configure } from '@testing-library/react';
import EditorWorker from 'monaco-editor/esm/vs/editor/editor.worker?worker';
import { afterEach, beforeEach, expect, vi } from 'vitest';
import { cdp } from 'vitest/browser';

// Where Grafana serves its icons; see vite.config.ts.
Object.assign(window, { __grafana_public_path__: '/public/' });
Object.assign(self, { MonacoEnvironment: { getWorker: () => new EditorWorker() } });

configure({ getElementError: (message) => new Error(`${message ?? ''}\n${document.body.innerText}`) });

// What React or a component complains of is a fault of the editors, or of the test.
let complaints: string[] = [];

beforeEach(async () => {
  // The pointer stays where the last test left it, and a menu that opens under it takes it for a choice.
  await cdp().send('Input.dispatchMouseEvent', { type: 'mouseMoved', x: 0, y: 0 });
  complaints = [];
  vi.spyOn(console, 'error').mockImplementation((...args: unknown[]) => {
    complaints.push(args.map(String).join(' '));
  });
});

afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
  expect(complaints).toEqual([]);
});
