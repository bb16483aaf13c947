import test from 'ava'
import { judgeDockerfile } from '#pkg/build/dockerfile/judge.ts'
import { Judgements } from './judgements.ts'

const asked = { builder: 'Auto', secrets: 0, engineBuilder: 'Classic' } as const
const text = 'FROM bb:1\nARG V\nRUN echo $V\n'

test('a Dockerfile is judged once, as long as each pass asks', (t) => {
  const judgements = new Judgements()
  const first = judgements.judge(text, asked)
  t.deepEqual(first, judgeDockerfile(text, asked))
  judgements.turn()
  t.is(judgements.judge(text, { ...asked }), first)
  judgements.turn()
  judgements.turn()
  t.not(judgements.judge(text, asked), first)
})

test('another text and other arguments are other questions', (t) => {
  const { judge } = new Judgements()
  t.not(judge(text, asked), judge(`${text}USER 1\n`, asked))
  t.not(judge(text, asked), judge(text, { ...asked, args: { V: '1' } }))
})
