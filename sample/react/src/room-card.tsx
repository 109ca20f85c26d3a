import { useChannel } from 'nestjs-sse-channels/react';
import { useState, type SubmitEvent } from 'react';
import { Room } from './room.channel';

/** A room, as long as the visitor is in it. The connection is that of the others. */
export function RoomCard({ room, onLeave }: { room: string; onLeave: () => void }) {
  const { events, status, reset, error } = useChannel(Room, { room });
  const [refusal, setRefusal] = useState<string>();

  const send = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const message = String(new FormData(event.currentTarget).get('message'));
    say(room, message).then(
      () => setRefusal(undefined),
      (reason: Error) => setRefusal(reason.message),
    );
  };

  return (
    <section className="card" data-room={room} data-state={status}>
      <h2>{room}</h2>
      <p className="state">
        <span className="dot" aria-hidden="true" /> <span className="state-name">{status}</span>
      </p>
      {reset && <p className="reset">Messages may be missing ({reset.data.reason}).</p>}
      {error && <p className="reset">{error.message}</p>}
      {refusal && <p className="reset">{refusal}</p>}
      <ol className="messages" tabIndex={0} role="log" aria-label={`Messages in ${room}`}>
        {events.toReversed().map(({ position, data }) => (
          <li key={position}>{typeof data === 'string' ? data : JSON.stringify(data)}</li>
        ))}
      </ol>
      <form onSubmit={send}>
        <label>
          Message <input name="message" defaultValue="Hi there" required autoComplete="off" />
        </label>
        <button>Send</button>
      </form>
      <button type="button" className="quiet leave" onClick={onLeave}>
        Leave
      </button>
    </section>
  );
}

/** Posts a message. Throws an Error that can be shown to people. */
async function say(room: string, message: string): Promise<void> {
  const response = await fetch(`/rooms/${encodeURIComponent(room)}`, {
    method: 'POST',
    headers: { 'content-type': 'text/plain' },
    body: message,
  });
  if (!response.ok) throw new Error(`Not sent: the server answers ${response.status}.`);
}
