// A page that fails says so, and the frame around it stays.

import { Component, type ComponentChildren } from 'preact';
import { problemFrom } from '../api/hooks.ts';
import { ProblemNote } from './basics.tsx';

export class Guard extends Component<{ children: ComponentChildren }, { error?: unknown }> {
  override state: { error?: unknown } = {};

  static override getDerivedStateFromError(error: unknown): { error: unknown } {
    return { error };
  }

  override render() {
    return this.state.error === undefined ? this.props.children : <><h1>This page failed</h1><ProblemNote problem={problemFrom(this.state.error)} /></>;
  }
}
