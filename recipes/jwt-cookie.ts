import { Controller, Injectable, Module, Sse, UseGuards } from '@nestjs/common';
import { UnauthorizedException, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { JwtModule, JwtService } from '@nestjs/jwt';
import { SseChannel, SseModule } from 'nestjs-sse-channels';

interface Claims {
  /** The user's id. */
  readonly sub: string;
  /** When the token expires, in seconds since 1970. */
  readonly exp: number;
}

interface UserRequest {
  /** By `cookie-parser` on Express, and by `@fastify/cookie` on Fastify. */
  readonly cookies: Readonly<Record<string, string | undefined>>;
  claims: Claims;
}

@Injectable()
class JwtCookieGuard implements CanActivate {
  constructor(private readonly jwt: JwtService) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<UserRequest>();
    try {
      request.claims = await this.jwt.verifyAsync<Claims>(request.cookies['token'] ?? '');
    } catch {
      throw new UnauthorizedException();
    }
    return true;
  }
}

@Controller('me')
@UseGuards(JwtCookieGuard)
class MeController {
  /** The stream ends with the token: otherwise it would outlive it. */
  @Sse('events')
  @SseChannel((request: UserRequest) => `user:${request.claims.sub}`, {
    expires: (request) => new Date(request.claims.exp * 1_000),
  })
  events() {}
}

@Module({
  imports: [
    SseModule.forRoot(),
    ConfigModule.forRoot({ isGlobal: true }),
    JwtModule.registerAsync({
      inject: [ConfigService],
      useFactory: (config: ConfigService) => ({
        secret: config.getOrThrow<string>('JWT_SECRET'),
        signOptions: { expiresIn: '15m' },
      }),
    }),
  ],
  controllers: [MeController],
})
export class AppModule {}
