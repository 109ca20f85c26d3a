import { byId, setAttribute, setText } from './dom.js';
import { duration } from './format.js';
import { visible } from './visible.js';

/** @import { Overview } from '../overview.js' */
/** @import { StreamState } from './live.js' */

/** What stands at the top: whose page this is, and whether it still hears of it. */
export class Header {
  #stream = byId('stream');

  /** @param {Overview} overview */
  show({ instance, version, at, startedAt, showData, send }) {
    setText(byId('instance'), instance);
    setAttribute(byId('instance'), 'title', instance);
    setText(byId('version'), version);
    setText(byId('uptime'), duration(Math.max(1_000, at - startedAt)));
    setText(byId('data-shown'), `${showData ? 'shown' : 'hidden'}${send ? ', sending on' : ''}`);
    document.title = `${visible(instance)} · SSE inspector`;
  }

  /**
   * @param {StreamState} state
   * @param {string} text
   */
  showState(state, text) {
    this.#stream.dataset.state = state;
    setText(byId('stream-text'), text);
  }
}
