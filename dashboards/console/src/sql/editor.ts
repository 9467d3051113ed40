// The SQL editor: CodeMirror, which comes with a request of its own.
//
// It lives in a shadow tree: there CodeMirror keeps its styles in constructed sheets,
// which the page's policy allows, instead of style elements, which it does not.

import { autocompletion, closeBrackets, closeBracketsKeymap, type Completion, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { sql, SQLDialect, type SQLNamespace } from '@codemirror/lang-sql';
import { bracketMatching, HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { setDiagnostics } from '@codemirror/lint';
import { Compartment, EditorState, type Extension, Prec } from '@codemirror/state';
import { drawSelection, EditorView, keymap, lineNumbers, placeholder } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import type { Schema } from './schema.ts';
import { functions, keywords, types } from './words.ts';

export interface EditorOptions {
  text: string;
  onRun(): void;
  onCancel(): boolean;
  onChange(text: string): void;
}

export interface Editor {
  text(): string;
  setText(text: string): void;
  setSchema(schema: Schema): void;
  mark(range: { from: number; to: number } | undefined, message: string): void;
  focus(): void;
  destroy(): void;
}

const dialect = SQLDialect.define({
  keywords, types: types.toLowerCase(), builtin: functions.toLowerCase(), identifierQuotes: '`"', doubleQuotedStrings: false, hashComments: true, operatorChars: '*+-%<>!=&|~/', specialVar: '',
});

const written = new Map(`${types} ${functions}`.split(' ').map((name) => [name.toLowerCase(), name]));
const called = new Set(functions.split(' '));

/** Keywords are completed in capitals, types and functions as ClickHouse writes them. */
function complete(word: string): Completion {
  const name = written.get(word.toLowerCase());
  if (name === undefined) return { label: word.toUpperCase(), type: 'keyword', boost: -1 };
  return called.has(name) ? { label: name, type: 'function', apply: `${name}(` } : { label: name, type: 'class' };
}

const language = (schema: Schema): Extension => sql({ dialect, keywordCompletion: complete, schema: namespace(schema) });

const colours = HighlightStyle.define([
  { tag: tags.keyword, color: 'var(--deep)', fontWeight: '600' },
  { tag: [tags.standard(tags.name), tags.function(tags.name)], color: 'var(--water)' },
  { tag: tags.typeName, color: 'var(--plum)' },
  { tag: [tags.string, tags.special(tags.string)], color: 'var(--moss)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--rust)' },
  { tag: tags.comment, color: 'var(--ink-2)', fontStyle: 'italic' },
]);

const look = EditorView.theme({
  '&': { backgroundColor: 'var(--panel)', color: 'var(--ink)', fontSize: '13px', maxHeight: '45vh', minHeight: '132px' },
  '&.cm-focused': { outline: '2px solid var(--water)' },
  '.cm-scroller': { fontFamily: "ui-monospace, 'SF Mono', 'Cascadia Mono', Menlo, Consolas, monospace", lineHeight: '1.5', overflow: 'auto' },
  '.cm-content': { caretColor: 'var(--ink)', padding: '8px 0' },
  '.cm-cursor': { borderLeftColor: 'var(--ink)' },
  '.cm-gutters': { backgroundColor: 'var(--panel)', color: 'var(--ink-2)', borderRight: '1px solid var(--line)' },
  '.cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground': { backgroundColor: 'var(--water-3)' },
  '.cm-matchingBracket': { backgroundColor: 'var(--water-3)', outline: 'none' },
  '.cm-tooltip': { backgroundColor: 'var(--panel)', color: 'var(--ink)', border: '1px solid var(--line)' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { backgroundColor: 'var(--water)', color: 'var(--panel)' },
  '.cm-completionDetail': { color: 'var(--ink-2)', fontStyle: 'normal' },
  'li[aria-selected] .cm-completionDetail': { color: 'inherit' },
  '.cm-lintRange-error': { backgroundImage: 'none', textDecoration: 'underline wavy var(--rust) 1.5px', textUnderlineOffset: '3px' },
  '.cm-diagnostic-error': { borderLeftColor: 'var(--rust)' },
  '.cm-placeholder': { color: 'var(--ink-2)' },
});

export function openEditor(box: HTMLElement, o: EditorOptions): Editor {
  const shadow = box.shadowRoot ?? box.attachShadow({ mode: 'open' });
  const spoken = new Compartment();
  const view = new EditorView({
    root: shadow,
    parent: shadow,
    state: EditorState.create({
      doc: o.text,
      extensions: [
        Prec.highest(keymap.of([
          { key: 'Mod-Enter', run: () => (o.onRun(), true) },
        ])),
        lineNumbers(), history(), drawSelection(), bracketMatching(), closeBrackets(), autocompletion(), EditorView.lineWrapping,
        placeholder("SELECT … — Ctrl-Enter runs it, Ctrl-Space completes"),
        keymap.of([...closeBracketsKeymap, ...completionKeymap, ...historyKeymap, { key: 'Escape', run: () => o.onCancel() }, ...defaultKeymap]),
        spoken.of(language([])),
        syntaxHighlighting(colours), look,
        EditorView.contentAttributes.of({ 'aria-label': 'SQL', spellcheck: 'false', autocapitalize: 'off' }),
        EditorView.domEventHandlers({ beforeinput: overtype }),
        EditorView.updateListener.of((u) => {
          if (u.docChanged) o.onChange(u.state.doc.toString());
        }),
      ],
    }),
  });
  return {
    text: () => view.state.doc.toString(),
    setText(text) {
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text }, selection: { anchor: text.length } });
    },
    setSchema(schema) {
      view.dispatch({ effects: spoken.reconfigure(language(schema)) });
    },
    mark(range, message) {
      const end = view.state.doc.length;
      const diagnostics = range ? [{ from: Math.min(range.from, end), to: Math.min(Math.max(range.to, range.from + 1), end), severity: 'error' as const, message }] : [];
      view.dispatch(setDiagnostics(view.state, diagnostics));
      const [first] = diagnostics;
      if (first) view.dispatch({ selection: { anchor: first.from }, scrollIntoView: true });
    },
    focus: () => view.focus(),
    destroy: () => view.destroy(),
  };
}

/**
 * Replaces a selection by what is typed. Left to the browser's own editing, the new text
 * would get the selection's style in an attribute, which the page's policy refuses.
 */
function overtype(e: InputEvent, view: EditorView): boolean {
  if (e.inputType !== 'insertText' || !e.data || view.composing || view.state.selection.main.empty) return false;
  view.dispatch(view.state.replaceSelection(e.data), { userEvent: 'input.type', scrollIntoView: true });
  return true; // the browser's own is off then
}

function namespace(schema: Schema): SQLNamespace {
  return Object.fromEntries(schema.map((t) => [t.name, {
    self: { label: t.name, detail: t.kind, type: 'type' },
    children: t.columns.map((c) => ({ label: c.name, detail: c.type, type: 'property' })),
  }]));
}
