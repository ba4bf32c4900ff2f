// Tells the exporter of each run of a program. Copy it: it needs Node 18 or later, nothing else.
//
//   import { run } from './push_execution.mjs';
//   await run('content_generator', { customer: 'acme' }, async (told) => {
//     const answer = await told.step('outline', { kind: 'llm' }, () => openai.chat.completions.create(request));
//     told.llmCall({ model: answer.model, usage: answer.usage, latency_ms: 1200 });
//     told.outcome('posts_approved', 3);
//   });
//
// Environment: AIWF_URL (http://127.0.0.1:9849) and AIWF_TOKEN (the exporter's web.token).
// A run never fails because the exporter does not answer: that is logged.
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

const URL = process.env.AIWF_URL ?? 'http://127.0.0.1:9849';
const LATER = new Set([429, 502, 503, 504]); // the exporter is full, starts, or waits for its database

/**
 * Sends a document; resolves to whether the exporter has stored it. Sent twice, it counts once.
 * An exporter that does not answer takes up to 36 seconds: where that is too long, do not await.
 */
export async function push(route, document, tries = 3) {
  let reason;
  for (let number = 1; number <= tries; number++) {
    let seconds = 2 ** number;
    try {
      const answer = await fetch(`${URL}/v1/${route}`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${process.env.AIWF_TOKEN ?? ''}`,
        },
        body: JSON.stringify(document),
        signal: AbortSignal.timeout(10_000),
      });
      const text = await answer.text();
      if (answer.ok) {
        for (const note of JSON.parse(text).notes) console.warn(`the exporter says: ${note}`);
        return true;
      }
      reason = `${answer.status} ${text}`;
      if (!LATER.has(answer.status)) break;
      seconds = Number(answer.headers.get('retry-after')) || seconds;
    } catch (error) {
      reason = error.cause?.message ?? error.message;
    }
    if (number < tries) await wait(seconds * 1000);
  }
  console.warn(`the exporter was not told: ${reason}`);
  return false;
}

/** Runs `work` as one execution of a workflow: told when it begins and when it ends. */
export async function run(workflow, fields, work) {
  const told = {
    execution_id: randomUUID(),
    workflow,
    started_at: new Date().toISOString(),
    ...fields,
  };
  const [steps, llm_calls, outcomes] = [[], [], []];
  const begunAt = performance.now();
  await push('executions', { ...told, status: 'running' }, 1);
  const end = { status: 'success' };
  try {
    return await work({
      executionId: told.execution_id,
      step: (name, more, action) => timed(steps, { name, ...more }, action),
      llmCall: (call) => llm_calls.push({ step_id: steps.at(-1)?.step_id, ...began(call), ...call }),
      outcome: (name, value = true, more = {}) => outcomes.push({ name, value, ...more }),
    });
  } catch (error) {
    Object.assign(end, failed(error));
    throw error;
  } finally {
    const duration_ms = performance.now() - begunAt;
    await push('executions', { ...told, ...end, duration_ms, steps, llm_calls, outcomes });
  }
}

/** When a call that has just ended began: retries and fallbacks are known by it. */
function began({ latency_ms }) {
  return latency_ms ? { started_at: new Date(Date.now() - latency_ms).toISOString() } : {};
}

async function timed(steps, step, action) {
  Object.assign(step, { step_id: String(steps.length + 1), started_at: new Date().toISOString() });
  steps.push(step);
  const begunAt = performance.now();
  try {
    const output = await action();
    if (output !== undefined) step.output = output;
    return output;
  } catch (error) {
    Object.assign(step, failed(error));
    throw error;
  } finally {
    step.duration_ms = performance.now() - begunAt;
  }
}

function failed(error) {
  const type = error?.name ?? typeof error;
  return {
    status: type === 'TimeoutError' ? 'timeout' : 'error',
    error: { type, message: String(error?.message ?? error), stack: error?.stack },
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await run('content_generator', { trigger: 'example', customer: 'acme' }, async (told) => {
    const topic = await told.step('fetch topic', { kind: 'database' }, () => 'tea');
    await told.step('generate outline', { kind: 'llm', input: topic }, () => '1. Leaves 2. Water');
    told.llmCall({
      provider: 'openai',
      model: 'gpt-4o-mini',
      usage: { prompt_tokens: 412, completion_tokens: 96 },
      latency_ms: 1200,
    });
    told.outcome('posts_generated', 1);
  });
}
