/** The table of all commands of `kerbside-cloud`. */

import { ACCESS_COMMANDS } from "./access-commands.ts";
import { ACCOUNT_COMMANDS } from "./account-commands.ts";
import { AUDIT_COMMANDS } from "./audit-commands.ts";
import { BACKUP_COMMANDS } from "./backup-commands.ts";
import { CLIENT_COMMANDS } from "./client-commands.ts";
import type { Command } from "./command.ts";
import { DATA_COMMANDS } from "./data-commands.ts";
import { DATABASE_COMMANDS } from "./database-commands.ts";
import { ERASE_COMMANDS } from "./erase-commands.ts";
import { FILE_COMMANDS } from "./file-commands.ts";
import { INCIDENT_COMMANDS } from "./incident-commands.ts";
import { KEY_COMMANDS } from "./key-commands.ts";
import { PAYMENT_COMMANDS } from "./payment-commands.ts";
import { PRIVACY_COMMANDS } from "./privacy-commands.ts";
import { PUBLISH_COMMANDS } from "./publish-commands.ts";
import { REPLICA_COMMANDS } from "./replica-commands.ts";
import { REQUEST_KEY_COMMANDS } from "./request-key-commands.ts";
import { SEND_COMMANDS } from "./send-command.ts";
import { SERVE_COMMANDS } from "./serve-commands.ts";
import { TENANT_COMMANDS } from "./tenant-commands.ts";
import { VEHICLE_COMMANDS } from "./vehicle-commands.ts";
import { WEBHOOK_COMMANDS } from "./webhook-commands.ts";

export const COMMANDS: readonly Command[] = [
  ...SERVE_COMMANDS,
  ...TENANT_COMMANDS,
  ...PAYMENT_COMMANDS,
  ...ACCOUNT_COMMANDS,
  ...ACCESS_COMMANDS,
  ...DATABASE_COMMANDS,
  ...VEHICLE_COMMANDS,
  ...KEY_COMMANDS,
  ...CLIENT_COMMANDS,
  ...REQUEST_KEY_COMMANDS,
  ...SEND_COMMANDS,
  ...PUBLISH_COMMANDS,
  ...WEBHOOK_COMMANDS,
  ...DATA_COMMANDS,
  ...AUDIT_COMMANDS,
  ...ERASE_COMMANDS,
  ...FILE_COMMANDS,
  ...PRIVACY_COMMANDS,
  ...BACKUP_COMMANDS,
  ...REPLICA_COMMANDS,
  ...INCIDENT_COMMANDS,
];
