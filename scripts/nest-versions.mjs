/**
 * The packages of Nest 11 that the tests and the consumers' projects run on. Those of Nest 12 are
 * in package.json. A package whose one version suits both lines is not named here.
 */
export const NEST_11 = {
  '@nestjs/common': '11.2.10',
  '@nestjs/core': '11.2.10',
  '@nestjs/microservices': '11.2.10',
  '@nestjs/platform-express': '11.2.10',
  '@nestjs/platform-fastify': '11.2.8',
  '@nestjs/swagger': '11.4.0',
  '@nestjs/terminus': '11.1.1',
  '@nestjs/testing': '11.2.6',
};
