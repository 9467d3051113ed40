import type { Monaco, monacoTypes } from '@grafana/ui';

import { keywords, units } from './keywords';

export const languageId = 'millrace-sql';

/** registerLanguage makes the editor know ClickHouse's SQL with Grafana's variables and macros; once for all editors. */
export function registerLanguage(monaco: Monaco): void {
  if (monaco.languages.getLanguages().some((l) => l.id === languageId)) {
    return;
  }
  monaco.languages.register({ id: languageId });
  monaco.languages.setLanguageConfiguration(languageId, configuration);
  monaco.languages.setMonarchTokensProvider(languageId, tokens);
}

const configuration: monacoTypes.languages.LanguageConfiguration = {
  comments: { lineComment: '--', blockComment: ['/*', '*/'] },
  brackets: [
    ['(', ')'],
    ['[', ']'],
    ['{', '}'],
  ],
  autoClosingPairs: [
    { open: '(', close: ')' },
    { open: '[', close: ']' },
    { open: '{', close: '}' },
    { open: "'", close: "'", notIn: ['string', 'comment'] },
    { open: '`', close: '`', notIn: ['string', 'comment'] },
  ],
};

// A backslash escapes the next character; a doubled quote ends one string and begins the next, which looks the same.
const tokens: monacoTypes.languages.IMonarchLanguage = {
  ignoreCase: true,
  defaultToken: '',
  words: [...new Set([...keywords, ...units].flatMap((k) => k.split(' ')))],
  tokenizer: {
    root: [
      [/\s+/, 'white'],
      [/(--|#).*$/, 'comment'],
      [/\/\*/, 'comment', '@comment'],
      [/\$\{[^}]*\}|\$\w+|\[\[\w+(:\w+)?\]\]/, 'variable'],
      [/'/, 'string', '@string'],
      [/`/, 'identifier.quote', '@backticks'],
      [/"/, 'identifier.quote', '@quotes'],
      [/0x[\da-f]+|\d+(\.\d*)?(e[-+]?\d+)?|\.\d+(e[-+]?\d+)?/, 'number'],
      [/[a-z_]\w*(?=\s*\()/, { cases: { '@words': 'keyword', '@default': 'predefined' } }],
      [/[a-z_]\w*/, { cases: { '@words': 'keyword', '@default': 'identifier' } }],
      [/[()[\]{}]/, '@brackets'],
      [/[-+*/%=<>!|&^~?:]+/, 'operator'],
      [/[,;.]/, 'delimiter'],
    ],
    comment: [
      [/\/\*/, 'comment', '@push'],
      [/\*\//, 'comment', '@pop'],
      [/[^*/]+|./, 'comment'],
    ],
    string: [
      [/\\./, 'string.escape'],
      [/[^'\\$]+/, 'string'],
      [/\$\{[^}]*\}|\$\w+/, 'variable'],
      [/'/, 'string', '@pop'],
      [/./, 'string'],
    ],
    backticks: [
      [/\\.|[^`\\]+/, 'identifier'],
      [/`/, 'identifier.quote', '@pop'],
    ],
    quotes: [
      [/\\.|[^"\\]+/, 'identifier'],
      [/"/, 'identifier.quote', '@pop'],
    ],
  },
};
