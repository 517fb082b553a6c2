/**
 * What well-known scopes let an agent do, in plain words. Authorization servers choose the names of their scopes freely, so that
 * only those are here that mean the same wherever they turn up; of all others the name itself is all that can be said.
 */

const GOOGLE = 'https://www.googleapis.com/auth/'
const GRAPH = 'https://graph.microsoft.com/'

const WORDS: Readonly<Record<string, string>> = {
  // OpenID Connect Core §5.4, §11
  openid: 'Know which account is yours',
  profile: 'See your name and picture',
  email: 'See your e-mail address',
  address: 'See your postal address',
  phone: 'See your phone number',
  offline_access: 'Stay connected while you are away',
  // GitHub
  repo: 'Read and change your repositories, private ones too',
  public_repo: 'Read and change your public repositories',
  'repo:status': 'Read and set the status of commits',
  gist: 'Create gists',
  notifications: 'Read your notifications and mark them as read',
  workflow: 'Change workflows of GitHub Actions',
  'read:user': 'Read your profile',
  'user:email': 'Read your e-mail addresses',
  'read:org': 'See your organizations and teams',
  'write:org': 'Change the membership of your organizations',
  'read:project': 'Read your projects',
  'read:packages': 'Download packages',
  'write:packages': 'Upload packages',
  // Slack
  'channels:read': 'See which public channels there are',
  'channels:history': 'Read messages in public channels',
  'groups:read': 'See your private channels',
  'groups:history': 'Read messages in your private channels',
  'im:history': 'Read your direct messages',
  'chat:write': 'Send messages',
  'users:read': 'See who is in the workspace',
  'users:read.email': 'See e-mail addresses of people in the workspace',
  'files:read': 'Read files that are shared with you',
  'files:write': 'Upload, change and delete files',
  'search:read': 'Search messages and files',
  'reactions:write': 'Add and remove reactions',
  // Google
  [`${GOOGLE}gmail.readonly`]: 'Read your mail',
  [`${GOOGLE}gmail.send`]: 'Send mail as you',
  [`${GOOGLE}gmail.modify`]: 'Read, write, send and file your mail',
  [`${GOOGLE}calendar`]: 'Read and change your calendars',
  [`${GOOGLE}calendar.readonly`]: 'Read your calendars',
  [`${GOOGLE}calendar.events`]: 'Read and change the events in your calendars',
  [`${GOOGLE}drive`]: 'Read, change and delete all your files in Drive',
  [`${GOOGLE}drive.readonly`]: 'Read all your files in Drive',
  [`${GOOGLE}drive.file`]: 'Read and change the files in Drive that it has made or that you open with it',
  [`${GOOGLE}documents`]: 'Read and change your documents',
  [`${GOOGLE}spreadsheets`]: 'Read and change your spreadsheets',
  [`${GOOGLE}contacts.readonly`]: 'Read your contacts',
  [`${GOOGLE}userinfo.email`]: 'See your e-mail address',
  [`${GOOGLE}userinfo.profile`]: 'See your name and picture',
  // Microsoft Graph
  'User.Read': 'Read your profile',
  'Mail.Read': 'Read your mail',
  'Mail.ReadWrite': 'Read, write and delete your mail',
  'Mail.Send': 'Send mail as you',
  'Calendars.Read': 'Read your calendars',
  'Calendars.ReadWrite': 'Read and change your calendars',
  'Files.Read': 'Read your files',
  'Files.Read.All': 'Read all files that you can open',
  'Files.ReadWrite': 'Read, change and delete your files',
  'Files.ReadWrite.All': 'Read, change and delete all files that you can open',
  'Sites.Read.All': 'Read all SharePoint sites that you can open',
  'Chat.Read': 'Read your chats',
  'Tasks.ReadWrite': 'Read and change your tasks',
  // Atlassian
  'read:jira-work': 'Read Jira projects and issues',
  'write:jira-work': 'Create and change Jira issues',
  'read:jira-user': 'See who works with Jira',
  'read:confluence-content.all': 'Read Confluence pages',
  'write:confluence-content': 'Create and change Confluence pages',
}

/** What a scope lets somebody do; `undefined` for one that is not well known. */
export function scopeWords(scope: string): string | undefined {
  const name = scope.startsWith(GRAPH) ? scope.slice(GRAPH.length) : scope
  return Object.hasOwn(WORDS, name) ? WORDS[name] : undefined
}
