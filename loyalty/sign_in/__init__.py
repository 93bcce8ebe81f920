"""Who is at the keyboard: password, one-time password, and for how long that holds.

| module | knows |
|---|---|
| `address` | where a request comes from |
| `policy` | who needs a one-time password, and whether a session is complete |
| `devices` | authenticators and backup codes |
| `sessions` | when a session ends |
| `confirmation` | `password_confirmed`, for what asks for the password again |
| `lockout` | who is locked out after wrong passwords |
| `views` | the pages |
"""
