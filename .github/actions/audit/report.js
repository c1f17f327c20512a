// What audit-report.yml does with GitHub's interface: finds the pull request, and says on it what the audit found.
// Nothing here comes from the artifact but the files that `cli.py render` wrote from it, and its verdict.
const fs = require('fs')
const zlib = require('zlib')

const MARK = '<!-- pgolf-audit -->'
const AUTHOR = 'github-actions[bot]'
const CHECK = 'Parameter Golf audit'
const CONCLUSION = { PASS: 'success', FAIL: 'failure', REVIEW: 'neutral', ERROR: 'action_required' }

// The open pull request whose head this run was made for. A fork's run does not name it, and its artifact must not.
async function find({ github, context, core }) {
  const run = context.payload.workflow_run
  if (!run.head_repository) {
    return core.notice('The fork is gone: nothing to report on.')
  }
  const head = `${run.head_repository.owner.login}:${run.head_branch}`
  const open = await github.paginate(github.rest.pulls.list, { ...context.repo, state: 'open', head, per_page: 100 })
  const pull = open.find((p) => p.head.sha === run.head_sha)
  if (!pull) {
    return core.notice('No open pull request has this head: a newer push has a run of its own.')
  }
  const files = await github.paginate(github.rest.pulls.listFiles, {
    ...context.repo, pull_number: pull.number, per_page: 100,
  })
  // The workflow of a pull_request run is the pull request's own. Beyond 3,000 files GitHub lists no more.
  const named = files.flatMap((f) => [f.filename, f.previous_filename || ''])
  const trusted = !named.some((name) => name.startsWith('.github/')) && files.length < 3000
  core.setOutput('number', String(pull.number))
  core.setOutput('trusted', trusted ? 'yes' : 'no')
  core.setOutput('say', trusted ? `Audited at ${run.head_sha.slice(0, 10)}.`
    : 'Not to be trusted: the pull request changes files below .github, and with them the run that made this result.')
}

// One comment, one check, and the findings at their lines.
async function report({ github, context, core }) {
  const { NUMBER, TRUSTED, VERDICT, RUNNER_TEMP } = process.env
  const run = context.payload.workflow_run
  const written = Object.hasOwn(CONCLUSION, VERDICT)
  const body = written ? fs.readFileSync(`${RUNNER_TEMP}/comment.md`, 'utf8')
    : `${MARK}\n## ERROR: Parameter Golf audit\n\nThe audit left no result that can be read. See the run of the workflow.\n`
  await comment(github, context, Number(NUMBER), body)
  await github.rest.checks.create({
    ...context.repo, name: CHECK, head_sha: run.head_sha, status: 'completed', details_url: run.html_url,
    conclusion: written && TRUSTED === 'yes' ? CONCLUSION[VERDICT] : 'action_required',
    output: { title: written ? VERDICT : 'No result', summary: body.replace(MARK, '') },
  })
  if (written && TRUSTED === 'yes') {
    await scan(github, context, core, Number(NUMBER), `${RUNNER_TEMP}/audit.sarif`)
  }
}

async function comment(github, context, number, body) {
  const all = await github.paginate(github.rest.issues.listComments, {
    ...context.repo, issue_number: number, per_page: 100,
  })
  const old = all.find((c) => c.user && c.user.login === AUTHOR && c.body.startsWith(MARK))
  if (old) {
    await github.rest.issues.updateComment({ ...context.repo, comment_id: old.id, body })
  } else {
    await github.rest.issues.createComment({ ...context.repo, issue_number: number, body })
  }
}

async function scan(github, context, core, number, file) {
  const sarif = zlib.gzipSync(fs.readFileSync(file)).toString('base64')
  const run = context.payload.workflow_run
  try {
    await github.rest.codeScanning.uploadSarif({
      ...context.repo, commit_sha: run.head_sha, ref: `refs/pull/${number}/head`, sarif, tool_name: 'pgolf-audit',
    })
  } catch (error) {
    if (error.status !== 403) {
      throw error
    }
    core.warning('Code scanning is not switched on in this repository: the findings are in the comment only.')
  }
}

module.exports = { find, report }
