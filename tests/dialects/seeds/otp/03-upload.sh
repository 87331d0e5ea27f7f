# Seed: otp-api-troubleshooting, "3. File Upload Error".
# The seed prints the error and no command; the command is ours.

curl -s -F to=08123456789 -F 'file=@logo.svg' http://localhost:3000/api/messages/your-session/file
