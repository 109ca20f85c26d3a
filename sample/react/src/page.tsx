import { useSseStatus } from 'nestjs-sse-channels/react';
import { useState, type SubmitEvent } from 'react';
import { RoomCard } from './room-card';

const asked = new URL(location.href).searchParams.getAll('room');

/** The rooms that the visitor is in, and a way into others. */
export function Page() {
  const [rooms, setRooms] = useState(asked.length > 0 ? asked : ['lobby', 'kitchen', 'garden']);

  const enter = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const room = String(new FormData(event.currentTarget).get('room'));
    event.currentTarget.reset();
    setRooms((before) => [...new Set([...before, room])]);
  };
  const leave = (room: string) => setRooms((before) => before.filter((one) => one !== room));

  return (
    <>
      <header className="top">
        <div>
          <h1>Rooms by React</h1>
          <p>All rooms of all tabs share one connection. Open as many tabs as you like.</p>
        </div>
        <Connection />
      </header>
      <form id="enter" onSubmit={enter}>
        <label>
          Room <input name="room" required autoComplete="off" placeholder="attic" />
        </label>
        <button>Enter</button>
      </form>
      <main className="rooms">
        {rooms.map((room) => (
          <RoomCard key={room} room={room} onLeave={() => leave(room)} />
        ))}
      </main>
    </>
  );
}

function Connection() {
  const status = useSseStatus();
  return (
    <p className="state" data-state={status} role="status">
      <span className="dot" aria-hidden="true" /> <span>{status}</span>
    </p>
  );
}
