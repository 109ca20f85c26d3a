import { BadRequestException, Injectable, type PipeTransform } from '@nestjs/common';
import type { User } from './user.store.js';

/** The body of `POST /users`. */
export function readNewUser(body: unknown): Omit<User, 'id'> {
  const { name, status } = readFields(body);
  return { name: required('name', name), status: required('status', status) };
}

/** The body of `PATCH /users/:id`. */
export function readUserChanges(body: unknown): Partial<Omit<User, 'id'>> {
  const changes = readFields(body);
  if (changes.name === undefined && changes.status === undefined) {
    throw new BadRequestException(
      'Nothing to change. Send { "name": … }, { "status": … } or both.',
    );
  }
  return changes;
}

/** A user's id in a path. */
@Injectable()
export class UserIdPipe implements PipeTransform<string, number> {
  transform(text: string): number {
    const id = Number(text);
    if (!/^\d+$/.test(text) || id > 2_147_483_647) {
      throw new BadRequestException(`The id of a user is a whole number, not "${text}".`);
    }
    return id;
  }
}

function readFields(body: unknown): { name?: string; status?: string } {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new BadRequestException(
      'Send a JSON object such as { "name": "Ada", "status": "online" }, with content-type: application/json.',
    );
  }
  const fields: { name?: string; status?: string } = {};
  for (const field of ['name', 'status'] as const) {
    const value = (body as Record<string, unknown>)[field];
    if (value === undefined) continue;
    if (typeof value !== 'string' || value.trim() === '' || value.includes('\0')) {
      throw new BadRequestException(
        `"${field}" must be a text that is not empty and holds no NUL character.`,
      );
    }
    fields[field] = value;
  }
  return fields;
}

function required(field: string, value: string | undefined): string {
  if (value === undefined) throw new BadRequestException(`"${field}" is missing.`);
  return value;
}
