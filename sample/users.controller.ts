import { Body, Controller, Param, Patch, Post, Sse } from '@nestjs/common';
import { SseChannel } from '../lib/index.js';
import { UserStore, type User } from './user.store.js';
import { UserIdPipe, readNewUser, readUserChanges } from './user.input.js';

/**
 * Rows of Postgres. The writing methods only write: the table's trigger notifies the
 * channel, so the events are the same whoever changes a row, `psql` included.
 */
@Controller()
export class UsersController {
  constructor(private readonly users: UserStore) {}

  @Sse('events/users')
  @SseChannel('user_updates', { source: 'postgres' })
  events() {}

  @Post('users')
  create(@Body() body: unknown): Promise<User> {
    return this.users.insert(readNewUser(body));
  }

  @Patch('users/:id')
  update(@Param('id', UserIdPipe) id: number, @Body() body: unknown): Promise<User> {
    return this.users.update(id, readUserChanges(body));
  }
}
