import type { Monaco, monacoTypes } from '@grafana/ui';

import type { Verdict } from '../components/useCheck';

/**
 * markers are the places that the editor underlines. The server judged the text with variables
 * filled in; a line that this changed is underlined as a whole, since its columns are others.
 */
export function markers(monaco: Monaco, written: string, judged: string, verdict: Verdict): monacoTypes.editor.IMarkerData[] {
  if (!verdict || verdict.ok !== false) {
    return [];
  }
  const lineNumber = verdict.line ?? 1;
  const line = written.split('\n')[lineNumber - 1] ?? '';
  const sameLine = line === judged.split('\n')[lineNumber - 1];
  const from = sameLine ? utf16Column(line, verdict.column ?? 1) : 1;
  const word = /^\w+/.exec(line.slice(from - 1))?.[0].length ?? 1;
  return [
    {
      severity: monaco.MarkerSeverity.Error,
      message: verdict.hint ? `${verdict.detail}\n${verdict.hint}` : verdict.detail,
      startLineNumber: lineNumber,
      endLineNumber: lineNumber,
      startColumn: from,
      endColumn: sameLine ? from + word : line.length + 1,
    },
  ];
}

// The server counts characters, the editor UTF-16 units; both from 1.
function utf16Column(line: string, column: number): number {
  return Array.from(line).slice(0, column - 1).join('').length + 1;
}
