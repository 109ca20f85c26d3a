import { post } from './ask.js';
import { make, setText } from './dom.js';
import { counted } from './format.js';

/** The form that sends an event to a channel. It is there only where the server allows it. */
export class Send {
  #channel = '';
  #type = make('input', {
    name: 'type',
    maxlength: '200',
    autocomplete: 'off',
    placeholder: 'message',
  });
  #data = make('textarea', { name: 'data', rows: '6', spellcheck: 'false', required: '' });
  #isText = make('input', { type: 'checkbox', name: 'text' });
  #button = make('button', { class: 'primary' }, 'Send');
  #result = make('p', { class: 'result', role: 'status' });

  constructor() {
    this.element = make(
      'form',
      { class: 'send' },
      make('label', {}, 'Type, if it has one', this.#type),
      make('label', { class: 'wide' }, 'Data', this.#data),
      make('label', { class: 'check' }, this.#isText, 'It is text, not JSON'),
      make('div', { class: 'actions' }, this.#button, this.#result),
    );
    this.#data.value = '{ "text": "Hello" }';
    this.element.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#send();
    });
  }

  /** @param {string} channel */
  show(channel) {
    if (channel === this.#channel) return;
    this.#channel = channel;
    this.#show('', '');
  }

  /** Says whom it reaches. @param {number} readers */
  showReaders(readers) {
    setText(this.#button, readers === 0 ? 'Send' : `Send to ${counted(readers, 'reader')}`);
  }

  async #send() {
    let data;
    try {
      data = this.#isText.checked ? this.#data.value : JSON.parse(this.#data.value);
    } catch (error) {
      return this.#show('bad', `The data is not JSON. ${/** @type {Error} */ (error).message}`);
    }
    const type = this.#type.value.trim();
    this.#button.disabled = true;
    try {
      const channel = this.#channel;
      /** @type {{ id: string }} */
      const { id } = await post('send', { channel, data, ...(type !== '' && { type }) });
      this.#show('good', `Sent, with the id ${id}.`);
    } catch (error) {
      this.#show('bad', `Not sent. ${/** @type {Error} */ (error).message}`);
    } finally {
      this.#button.disabled = false;
    }
  }

  /**
   * @param {'' | 'good' | 'bad'} tone
   * @param {string} text
   */
  #show(tone, text) {
    this.#result.dataset.tone = tone;
    setText(this.#result, text);
  }
}
