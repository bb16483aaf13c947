// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what looks like a placeholder is a variable of a Dockerfile
import test from 'ava'
import { describeLint, lintDockerfile } from './lint.ts'
import { parseDockerfile } from './parse.ts'
import type { Building } from './stages.ts'

/** `RULE LINE`, or `RULE` of what has none. */
function rulesOf(lines: readonly string[], building: Building = {}): string[] {
  const { dockerfile, problems } = parseDockerfile(`${lines.join('\n')}\n`)
  if (problems.length > 0) throw new Error(JSON.stringify(problems))
  return lintDockerfile(dockerfile, building).map(({ rule, line }) =>
    line === undefined ? rule : `${rule} ${line}`,
  )
}

interface Rule {
  readonly told: readonly (readonly string[])[]
  readonly fine: readonly (readonly string[])[]
}

/** Behind `FROM a`; the first line of what is told is line 2. */
const rules: Readonly<Record<string, Rule>> = {
  InvalidJSONForm: {
    told: [
      ["CMD ['a', 'b']"],
      ['ENTRYPOINT ["a", ]'],
      ['RUN ["a", “b”]'],
      ["COPY ['a', 'b']"],
      ['CMD [a, b]'],
    ],
    fine: [['CMD ["a"]'], ['RUN [ -f /x ] && y'], ['CMD [ -f /x ] && y'], ['CMD a']],
  },
  MultipleInstructions: {
    told: [
      ['CMD a', 'CMD b'],
      ['ENTRYPOINT ["a"]', 'ENTRYPOINT ["b"]'],
      ['HEALTHCHECK CMD a', 'HEALTHCHECK NONE'],
    ],
    fine: [
      ['CMD a', 'FROM b', 'CMD b'],
      ['ENTRYPOINT ["a"]', 'CMD b'],
    ],
  },
  SecretInArg: {
    told: [['ARG DB_PASSWORD'], ['ENV API_KEY=x'], ['ARG token=1'], ['ENV A=1 SECRET=2']],
    fine: [['ARG DB_PASSWORD_FILE=/run/x'], ['ENV TOKENS=3'], ['ENV MONKEY=1'], ['ENV COMPASS=north']],
  },
  AddInsteadOfCopy: {
    told: [['ADD package.json .'], ['ADD . /x/']],
    fine: [
      ['ADD a.tar.gz /'],
      ['ADD a.tgz b.tar.xz /x/'],
      ['ADD https://a/b /'],
      ['ADD $ARCHIVE /'],
      ['COPY a /'],
    ],
  },
  AddFromURL: {
    told: [['ADD https://a/b.tar.gz /x/']],
    fine: [['ADD https://a/b /x/'], ['ADD b.tar.gz /x/'], ['ADD --unpack=true https://a/b.tar.gz /x/']],
  },
  ConsecutiveRun: {
    told: [['RUN a', 'RUN b']],
    fine: [['RUN a', 'COPY b /', 'RUN c'], ['RUN a && b']],
  },
  RunCd: {
    told: [['RUN mkdir /app && cd /app'], ['RUN cd /app'], ['RUN export A=1']],
    fine: [['RUN cd /app && make'], ['RUN ["cd", "/app"]'], ['WORKDIR /app'], ['RUN echo abcd x']],
  },
  Maintainer: { told: [['MAINTAINER me']], fine: [['LABEL maintainer=me']] },
  LegacyEnvFormat: { told: [['ENV A 1'], ['LABEL a b']], fine: [['ENV A=1']] },
  ExecInCmd: {
    told: [['CMD ["exec", "sleep", "1"]'], ['ENTRYPOINT ["cd", "/"]']],
    fine: [['CMD ["sleep", "1"]'], ['CMD exec sleep 1']],
  },
  ExitTwoHealthcheck: {
    told: [['HEALTHCHECK CMD x || exit 2']],
    fine: [['HEALTHCHECK CMD x || exit 1'], ['HEALTHCHECK CMD exit 20']],
  },
  ShellEntrypoint: { told: [['ENTRYPOINT a b']], fine: [['ENTRYPOINT ["a"]'], ['ENTRYPOINT []']] },
  BackgroundService: {
    told: [
      ['CMD service nginx start'],
      ['CMD ["/etc/init.d/nginx", "start"]'],
      ['CMD initctl start nginx'],
      ['CMD systemctl start nginx'],
      ['CMD systemctl --now enable nginx && sleep 9'],
    ],
    fine: [
      ['CMD ["nginx", "-g", "daemon off;"]'],
      ['CMD service nginx start && sleep 9'],
      ['RUN systemctl enable nginx'],
    ],
  },
  Sudo: {
    told: [['RUN sudo x'], ['RUN a && sudo b']],
    fine: [['RUN apt-get install sudo'], ['RUN visudo -c']],
  },
  CopyBeforeInstall: {
    told: [
      ['COPY . .', 'RUN npm ci'],
      ['ADD . /x', 'RUN cd /x && go mod download'],
    ],
    fine: [
      ['COPY package.json .', 'RUN npm ci', 'COPY . .'],
      ['COPY . .', 'RUN echo hi'],
    ],
  },
  RemovedInLaterLayer: {
    told: [
      ['RUN dd if=/dev/zero of=/big', 'RUN rm /big'],
      ['COPY x.tar.gz /tmp/', 'RUN tar xf /tmp/x.tar.gz && rm -f /tmp/x.tar.gz'],
      ['RUN apt-get update && apt-get install -y gcc', 'RUN rm -rf /var/lib/apt/lists/*'],
      ['RUN apk add curl', 'RUN rm -rf /var/cache/apk/*'],
      ['COPY src /src/', 'RUN rm -r /src'],
    ],
    fine: [
      ['RUN dd if=/dev/zero of=/big && rm /big'],
      ['RUN apt-get update && apt-get install -y gcc && rm -rf /var/lib/apt/lists/*'],
      ['RUN echo a > /a', 'RUN rm /b'],
      ['RUN touch /bigger', 'RUN rm /big'],
    ],
  },
  SourceInFinalImage: {
    told: [
      ['COPY . .', 'RUN gcc -o x x.c'],
      ['RUN apt-get install -y build-essential'],
      ['COPY . .', 'RUN cd x && go build ./...'],
    ],
    fine: [
      ['COPY . .', 'RUN gcc -o x x.c', 'FROM scratch', 'COPY --from=0 /x /x'],
      ['RUN echo cc-by'],
      ['COPY a /make'],
    ],
  },
  WriteBelowVolume: {
    told: [['VOLUME /data', 'RUN echo x > /data/x']],
    fine: [
      ['RUN echo x > /data/x', 'VOLUME /data'],
      ['VOLUME /data', 'RUN echo x > /database'],
    ],
  },
  EmptyContinuationLine: { told: [['RUN a \\', '', ' b']], fine: [['RUN a \\', '# hi', ' b']] },
}

for (const [name, { told, fine }] of Object.entries(rules)) {
  test(`${name} is told where it applies, and nowhere else`, (t) => {
    const found = (lines: readonly string[]) =>
      rulesOf(['FROM a', ...lines]).filter((rule) => rule.startsWith(`${name} `))
    for (const lines of told) t.is(found(lines).length, 1, lines.join('; '))
    for (const lines of fine) t.deepEqual(found(lines), [], lines.join('; '))
  })
}

test('arguments that no ARG asks for are told, but for those that need none', (t) => {
  const lines = ['ARG A', 'FROM a', 'ARG B', 'FROM b', 'ARG C']
  const args = { A: '1', B: '1', NOPE: '1', HTTP_PROXY: 'x', TARGETARCH: 'y' }
  t.deepEqual(rulesOf(lines, { args }), ['UnusedBuildArg'])
  t.deepEqual(rulesOf(lines, { args, builder: 'BuildKit' }), ['UnusedBuildArg', 'UnusedBuildArg'])
})

test('a secret among the arguments is told once', (t) => {
  t.deepEqual(rulesOf(['FROM a', 'ARG DB_PASSWORD'], { args: { DB_PASSWORD: 'x' } }), ['SecretInArg 2'])
  t.deepEqual(rulesOf(['FROM a'], { args: { DB_PASSWORD: 'x' } }), ['UnusedBuildArg', 'SecretInArg'])
})

test('what is called like a secret and said to be none is not told', (t) => {
  const lines = ['FROM a', 'ARG PAGE_TOKEN=1', 'ARG API_KEY']
  t.deepEqual(rulesOf(lines, { publicArgs: ['PAGE_TOKEN'] }), ['SecretInArg 3'])
  t.deepEqual(rulesOf(lines, { args: { API_KEY: 'x' }, publicArgs: ['API_KEY', 'PAGE_TOKEN'] }), [])
})

test('an ARG before FROM that a stage does not ask for again is told where it is used', (t) => {
  const global = ['ARG Q=1', 'FROM a']
  t.deepEqual(rulesOf([...global, 'RUN echo $Q', 'LABEL x=${Q}']), ['UndefinedVariable 3'])
  t.deepEqual(rulesOf([...global, 'ARG Q', 'RUN echo $Q']), [])
  t.deepEqual(rulesOf([...global, 'RUN Q=2; echo $Q \\$Q']), [])
  t.deepEqual(rulesOf([...global, 'RUN echo $QUEUE']), [])
})

test('a stage whose name is misspelled is told with the right one', (t) => {
  const lines = ['FROM a AS builder', 'FROM b', 'COPY --from=bulider /x /']
  t.deepEqual(rulesOf(lines), ['UndeclaredStage 3'])
  t.deepEqual(rulesOf(['FROM a AS builder', 'FROM b', 'COPY --from=nginx /x /']), [])
})

test('many layers are told of before they are too many', (t) => {
  const copies = (count: number) => Array.from({ length: count }, () => 'COPY a /')
  t.deepEqual(rulesOf(['FROM a', ...copies(100)]), [])
  t.deepEqual(rulesOf(['FROM a', ...copies(101)]), ['LayerCount 102'])
})

test('stages that only build may do so in many layers', (t) => {
  t.deepEqual(
    rulesOf(['FROM a AS b', 'RUN x', 'RUN y', 'RUN make', 'FROM scratch', 'COPY --from=b /x /']),
    [],
  )
})

test('a warning names its rule, its line and what to do', (t) => {
  const { dockerfile } = parseDockerfile('FROM a\nCMD a\nCMD b\n')
  t.deepEqual(lintDockerfile(dockerfile, {}).map(describeLint), [
    'MultipleInstructions: line 2: this CMD does nothing: only the last one counts, in line 3',
  ])
})
