// A chat with the AI SDK's React hook. `?stream=ask` asks; `?stream=follow` only resumes, as a page that is reloaded.
import { useChat } from '@ai-sdk/react';
import { createElement, useEffect } from 'react';
import { createRoot } from 'react-dom/client';

const asked = new URL(location.href).searchParams;
const mode = asked.get('stream');
const reports = [];
let isSending = false;

/** Tells the test what the page shows, in order. */
async function report(shown) {
  reports.push({ type: 'message', data: JSON.stringify(shown), id: '' });
  if (isSending) return;
  isSending = true;
  while (reports.length > 0) {
    const body = JSON.stringify(reports.splice(0));
    await fetch(asked.get('reports'), { method: 'POST', body });
  }
  isSending = false;
}

function Chat() {
  const { messages, status, error, sendMessage } = useChat({ id: '1', resume: mode === 'follow' });
  const answers = messages.filter(({ role }) => role === 'assistant');
  const text = answers.flatMap(({ parts }) => parts.map((part) => part.text ?? '')).join('');
  useEffect(() => {
    if (mode === 'ask') void sendMessage({ text: 'Talk.' });
  }, []);
  useEffect(() => {
    void report({ text, status, answers: answers.length, error: error?.message });
  }, [text, status]);
  return createElement('pre', null, text);
}

createRoot(document.body).render(createElement(Chat));
