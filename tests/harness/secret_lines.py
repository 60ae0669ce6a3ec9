"""Lines as people write them: with secrets, marked ⟦so⟧, and without. ⏎ stands for a line end.

The first lists are what the rules were made with; the second were written before them, and measured once.
"""

from __future__ import annotations

MASKED = r"""
DB_PASSWORD=⟦Tr4inSpotting⟧
export PGPASSWORD='⟦k4tze&maus⟧'; psql -h db.intern -U ana
set SMTP_PASS=⟦q8Zr!t22⟧
$env:API_TOKEN = "⟦d41d8cd98f00b204e9800998ecf8427e⟧"
MYSQL_PWD=⟦bl4ubaer⟧ mysqldump --all-databases > all.sql
REDIS_PASSWORD=⟦0nly-4-cache⟧ docker compose up -d
mysql -u root --password=⟦fr0schteich⟧ shop
psql "host=db user=ana password=⟦s0nnen8lume⟧ dbname=app"
mongorestore --username ana --password ⟦w1nd-rad⟧ dump/
az login --service-principal --client-secret=⟦Xk8Q~9sdfKJH23lkjsdf0lk2j3⟧
curl -u deploy:⟦n4chtzug⟧ https://files.example.org/upload
curl --user "ana:⟦n4chtzug⟧" https://files.example.org/list
curl -H "Authorization: Basic ⟦ZGVwbG95Om40Y2h0enVn⟧" https://files.example.org
curl -H 'X-Api-Key: ⟦9f86d081884c7d659a2feaa0c55ad015⟧' https://api.example.org/v1/items
curl -H "PRIVATE-TOKEN: ⟦k3Jd92mXpQ7rT1zWv8Ny⟧" https://git.example.org/api/v4/projects
Authorization: Bearer ⟦8f7d6e5c4b3a29181716151413121110⟧
Authorization: Token ⟦9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b⟧
Proxy-Authorization: Basic ⟦cHJveHk6cjN2ZXJzZQ==⟧
wget "https://example.org/export?user=ana&api_key=⟦2b7e151628aed2a6abf7158809cf4f3c⟧&format=csv"
https://example.org/login?next=/home&password=⟦m0ndlicht⟧
https://hooks.example.org/deploy?access_token=⟦ya29a0AfH6SMBx3kq1P9⟧#done
postgres://shop:⟦z1tr0ne⟧@db.example.org:5432/shop
redis://:⟦c4che-only⟧@redis:6379/0
amqp://worker:⟦h4se2024⟧@rabbit:5672/%2f
https://ana:⟦geheimnis⟧@nextcloud.example.org/remote.php/dav
Server=tcp:sql.example.org,1433;Database=shop;User ID=ana;Password=⟦T!ger2020⟧;Encrypt=True;
jdbc:mysql://db:3306/shop?user=ana&password=⟦t1gerente⟧&useSSL=true
Driver={ODBC Driver 18};Server=sql;Uid=ana;Pwd=⟦w4ldw3g⟧
Endpoint=sb://bus.example.org/;SharedAccessKeyName=root;SharedAccessKey=⟦Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA==⟧
machine git.example.org login ana password ⟦sch4cht3l⟧
machine ftp.example.org⏎  login ana⏎  password ⟦l4mpe77⟧
**Password:** ⟦berg&tal9⟧
**Password**: `⟦berg&tal9⟧`
__password__: ⟦berg&tal9⟧
- *Password*: ⟦n3belhorn⟧
* Wifi password: ⟦zug-nach-Bern-7⟧
> Passwort: ⟦schn33mann⟧
1. Password: ⟦schn33mann⟧
- [ ] API key: `⟦4b825dc642cb6eb9a060e54bf8d69288fbee4904⟧`
| Password | ⟦gr1llabend⟧ |
| **Password** | `⟦gr1llabend⟧` |
| API token | ⟦7c211433f02071597741e6ff5a8ea34789abbf43⟧ | expires in May |
| host | user | password |⏎|---|---|---|⏎| nas | ana | ⟦st4dtpark⟧ |⏎| tv | ben | ⟦s33blick⟧ |
name,url,username,password⏎nas,http://nas.local,ana,⟦st4dtpark⟧⏎tv,http://tv.local,ben,⟦s33blick⟧
password = ⟦hun7erhunter⟧  # for staging only
password: ⟦hun7erhunter⟧ // rotate me
db.password=⟦hun7erhunter⟧ ; old one
spring.datasource.password=⟦s0mmerregen⟧
  password: "⟦l0renz!42⟧"
    - POSTGRES_PASSWORD=⟦d0ckerd0cker⟧
      MYSQL_ROOT_PASSWORD: ⟦d0ckerd0cker⟧
- name: DB_PASSWORD⏎  value: ⟦kub3rnetes⟧
{"name": "DB_PASSWORD", "value": "⟦kub3rnetes⟧"}
{"user": "ana", "password": "⟦f3uerwehr⟧", "port": 22}
{'token': '⟦e3b0c44298fc1c149afbf4c8996fb924⟧'}
client_secret = "⟦GOCSPX1a2b3c4d5e6f7g8h9i0j⟧"
config.password = '⟦r3genschirm⟧'
$cfg['password'] = '⟦r3genschirm⟧';
define('DB_PASSWORD', '⟦r3genschirm⟧');
CREATE USER ana WITH PASSWORD '⟦elef4nt⟧';
CREATE USER 'ana'@'%' IDENTIFIED BY '⟦elef4nt⟧';
requirepass ⟦r3dis-r3dis⟧
<password>⟦b4umhaus⟧</password>
<dbPassword>⟦b4umhaus⟧</dbPassword>
<add key="ApiKey" value="⟦0cc175b9c0f1b6a831c399e269772661⟧" />
<property name="connection.password" value="⟦b4umhaus⟧"/>
<wifi ssid="cabin" password="⟦b4umhaus⟧"/>
ssh root@10.0.0.5  # pw: ⟦k3ller!kind⟧
user: ana / pw: ⟦k3ller!kind⟧
login: ana, password: ⟦k3ller!kind⟧
Username: ana Password: ⟦k3ller!kind⟧
Ben: here you go, password: ⟦k3ller!kind⟧
ansible_become_pass: ⟦4nsible-sudo⟧
wpa_passphrase=⟦m0nd-hell⟧
psk="⟦m0nd-hell⟧"
passphrase: ⟦orbit lantern pickle velvet⟧
Password: ⟦tulip anchor mosaic ferry sunset⟧
Seed phrase: ⟦legal winner thank year wave sausage worth useful legal winner thank yellow⟧
Kennwort: ⟦w4ldm3ister⟧
Passwort (NAS): ⟦w4ldm3ister⟧
Mot de passe : ⟦p4rapluie⟧
mot de passe du wifi : ⟦p4rapluie⟧
Contraseña: ⟦p4raguas⟧
Clave API: ⟦2e7d2c03a9507ae265ecf5b5356885a5⟧
Senha: ⟦guard4chuva⟧
Пароль: ⟦z0ntik77⟧
Wachtwoord: ⟦par4plu!⟧
Hasło: ⟦par4sol⟧
密码：⟦yusan2024⟧
账号：ana 密码：⟦yusan2024⟧
密碼: ⟦yusan2024⟧
パスワード：⟦kasa2024x⟧
비밀번호: ⟦usan2024x⟧
API-Schlüssel: ⟦6dcd4ce23d88e2ee9568ba546c007c63⟧
password:⏎⟦k4rtoffel9⟧
password: ⟦48151623⟧
GITHUB_TOKEN=⟦0a1b2c3d4e5f60718293a4b5c6d7e8f901234567⟧ gh release create v1
--token ⟦0a1b2c3d4e5f60718293a4b5c6d7e8f901234567⟧
secret_key_base: ⟦b6d767d2f8ed5d21a44b0e5886680cb9b6d767d2f8ed5d21⟧
SECRET_KEY = '⟦django-insecure-w8^x2k#1n5z7q⟧'
JWT_SECRET=⟦u7Hk2pQ9sLx4⟧
mysqldump -u root -p'⟦fr0schteich⟧' shop > shop.sql
mysql -h db -p⟦fr0schteich⟧ shop
sshpass -p '⟦fr0schteich⟧' ssh ana@db
docker login -u ana -p ⟦fr0schteich⟧ registry.example.org
redis-cli -h cache -a ⟦fr0schteich⟧ ping
ldapsearch -x -D cn=ana -w ⟦fr0schteich⟧ -b dc=example
sqlcmd -S db -U sa -P ⟦fr0schteich⟧
<tr><td><b>Password</b></td>⏎<td class="x"><code>⟦fr0schteich⟧</code></td></tr>
<dl><dt>Kennwort</dt><dd>⟦fr0schteich⟧</dd></dl>
"""

KEPT = r"""
mysql -u root -p shop2026
mysql -P 33060 -h db5
docker run -p 8080:80 mongo:7.0.12
docker login -u ana --password-stdin < /run/secrets/registry1
ldapsearch -p 38900 -h db
<tr><td>Password</td><td>see the drawer</td></tr>
<td>Password policy</td><td>14chars</td>
password_file: /run/secrets/db
POSTGRES_PASSWORD_FILE=/run/secrets/postgres-pw1
token_path: ~/.cache/app/token-v2.json
secret_name: prod-db-credentials-2024
secretName: tls-cert-2026
secretKeyRef: prod-db-2
password_min_length: 14
password_max_age: 90d
PASSWORD_POLICY=length>=12,digits>=1
password_expiry: 2026-12-31T00:00
password_hint: name of 1st cat
password_reset_url: https://example.org/reset?u=1
password_changed_at: 2026-05-01T12:00:00Z
password_hash: 5f4dcc3b5aa765d61d8327deb882cf99
token_type: bearer-v2-jwt
token_ttl=3600s
token_limit: 8192-per-minute
token_count: 12k3
access_token_url = https://example.org/oauth2/token
api_key_location: vault:kv/app2
api_key_header: X-Api-Key-2
private_key_path = keys/id_ed25519_2024
key_rotation: every-90-days
PWD=/home/ana/src/app2
OLDPWD=/home/ana/src/app1
pwd: ~/projects/memo-3
cd "$PWD" && ls -la build2
password: ********
password: <your password here>
Password: (ask Ines)
Password: ask Ben, he has it in 1Password
Password: see 1Password
Password: same as on the old laptop
Password: stored in the safe, 2nd drawer
password: changeme
password: example
PASSWORD=${DB_PASSWORD}
password: "{{ vault_db_password }}"
password: !vault db2
password: $(pass show db/2)
--password-stdin
docker login --username ana --password-stdin registry.example.org
--password-file=/run/pw2.txt
curl -u "$USER:$TOKEN" https://example.org
curl -u ana https://example.org
mysql -u root -p shop2
token = tokenizer.decode(ids[0])
const password = await prompt("Password: ");
password = input("New password 2: ")
if password != confirm_password2:
def login(user: str, password: str = "") -> None:
password: str | None = None
api_key: Optional[str] = Field(default=None)
this.token = response.data.token2;
token: localStorage.getItem("token1")
password VARCHAR(255) NOT NULL
"password": {"type": "string", "minLength": 12}
"password": null
"token": true,
"secret": false
| password | yes | at least 12 characters |
| Field | Type |⏎|---|---|⏎| password | varchar2 |
| token | count |⏎|---|---|⏎| the | 1204 |
image: alpine:3.19@sha256:4bcff63911fcb4448bd4fdacec207030
docker pull ghcr://team/app:1.2@sha256:9b2a1f7c5e
http://localhost:8080@v3
npm://registry:4873@1.2.3
ssh://git@github.example.org:22/team/app2.git
git@github.example.org:team/app2.git
https://user:password@example.org
https://USER:PASS@host/path
postgres://user:${PGPASS}@db/app
https://example.org/a:b2@c
http://10.0.0.5:9200
commit 0cc175b9c0f1b6a831c399e269772661
sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
"integrity": "sha512-8b1a9953c4611296a827abf8c47804d7d8a0b1c2=="
etag: "5d41402abc4b2a76b9719d911017c592"
uuid: 550e8400-e29b-41d4-a716-446655440000
public_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8f7d6e5c4b3a29181716151413121110 ana@laptop
public token: none needed
primary_key: order_id2
cache_key: user:42:profile2
eos_token: "<|im_end|>"
pad_token_id: 151643
max_tokens: 4096
tokens: 1,204 of 8,192
next token probability: 0.25x2
The token was 32 bytes long.
The secret ingredient: cardamom, 2 pods.
Secret: always salt the water at 100C
secret santa: Ben draws Ana2
secret_menu: burger-no-7
The password is in the blue notebook.
I forgot my password again, third time in 2026.
Password managers compared: 1Password, Bitwarden, KeePassXC.
Passwords must have 12 characters, 1 digit and 1 symbol.
Passwort vergessen? Hier klicken.
Mot de passe oublié : cliquez ici
Contraseña: pregunta a Inés
Пароль: спроси у Инны
密码：问小王
密码在抽屉里，第2格
パスワードは12文字以上
비밀번호는 8자 이상
Basic training starts on Monday2.
Basic authentication is used here.
bearer of bad news
Authorization: required
Authorization: Bearer <token>
Authorization: Bearer $TOKEN
Authorization: Bearer {{access_token}}
the checksum SKa0b1c2d3e4f5061728394a5b6c7d8e9f
AC00ff00ff00ff00ff00ff00ff00ff00ff are flags
pass: 7 of 9 tests
pass the salt: 2 spoons
PASS 12 tests in 3.2s
tests: pass=12 fail=0
by-pass: road A23
Boarding pass: gate B22
ski pass: 3days
key: C#m7
keyboard layout: us-intl2
api: v2-beta1
compass=N45E7
"""

BLIND_MASKED = r"""
pg_dump postgresql://backup:⟦Lavendel77⟧@10.1.2.3/crm > crm.sql
sudo MYSQL_PWD=⟦rot!kehl9⟧ mysql -e 'show tables'
export AWS_SECRET_ACCESS_KEY=⟦wJb1rXVtnFEMIqK7MDENGzbPxRfiCYQQ99kkLLmm⟧
vault login -method=userpass username=ana password=⟦t4nnenbaum⟧
rsync --password-file=/etc/rs.pw nas:: .; RSYNC_PASSWORD=⟦qu3llwasser⟧ rsync nas::x .
http --auth ana:⟦st3inbruch⟧ https://api.example.net/me
helm install app ./chart --set db.password=⟦h3lmhelm⟧,replicas=2
docker run -e POSTGRES_PASSWORD=⟦blu3whale⟧ -d postgres:16
kubectl create secret generic db --from-literal=password=⟦k9-s3cure⟧
sqlcmd -S sql01 -U sa --password "⟦Adm1n!2019⟧"
gpg --batch --passphrase ⟦k4mel-karawane⟧ -d backup.gpg
ENV API_KEY=⟦a3f5c9e1b7d2486f90a1b2c3d4e5f607⟧
API_KEY: ⟦a3f5c9e1b7d2486f90a1b2c3d4e5f607⟧ # prod
STRIPE_WEBHOOK_SECRET="⟦whsec1J2k3L4m5N6o7P8q9R0s⟧"
NEXTAUTH_SECRET=⟦Jm0d8Pq2rT5vX9zB4nC7⟧
rabbitmq_default_pass = ⟦h4senstall⟧
      - "TRAEFIK_PASSWORD=⟦tr4ffic-l1ght⟧"
    environment: [REDIS_PASSWORD=⟦r0ter-punkt⟧, TZ=Europe/Berlin]
GF_SECURITY_ADMIN_PASSWORD: '⟦gr4fana4dmin⟧'
smtp:⏎  user: news@example.org⏎  password: ⟦briefm4rke⟧
[mysql]⏎user = ana⏎password = "⟦w3inkeller⟧"
auth_token = "⟦1f3870be274f6c49b3e31a0c6728957f⟧"
"apiKey": "⟦1f3870be274f6c49b3e31a0c6728957f⟧",
"accessToken":"⟦c81e728d9d4c2f636f067f89cc14862c⟧"
"clientSecret" : "⟦pQ8~Rz2vT6yW1xK4⟧"
<apiKey>⟦eccbc87e4b5ce2fe28308fd9f2a7baf3⟧</apiKey>
<setting name="SmtpPassword" value="⟦p0stkutsche⟧" />
<password type="text">⟦p0stkutsche⟧</password>
X-Auth-Token: ⟦e4da3b7fbbce2345d7772b0674a318d5⟧
Authorization: ApiKey ⟦VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw==⟧
authorization: basic ⟦YmVuOnNjaG5lZTg4⟧
GET /api/items?limit=5&token=⟦45c48cce2e2d7fbdea1afc51c7c6ad26⟧ HTTP/1.1
https://feed.example.org/rss?auth_token=⟦45c48cce2e2d7fbdea1afc51c7c6ad26⟧
wss://stream.example.org/?api_key=⟦d3d9446802a44259755d38e6d163e820⟧
ftp://ben:⟦h0chwasser⟧@ftp.example.org/pub
mongodb+srv://app:⟦Gr4nit3⟧@cluster0.example.net/prod
smtp://news%40example.org:⟦p0stb0te⟧@mail.example.org:587
Data Source=sql;Initial Catalog=hr;User Id=hr;Password='⟦M0ntag!⟧'
DefaultEndpointsProtocol=https;AccountName=pics;AccountKey=⟦Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tqK1SZFPTOtrKBHBeksoGMGw00==⟧
default login ben password ⟦tulp3nfeld⟧
## NAS⏎- user: ana⏎- password: ⟦d4chboden⟧
- **User:** ana⏎- **Pass:** ⟦d4chboden⟧
**Admin password** – ⟦d4chb0den⟧
Password - ⟦d4chb0den⟧
Router login: admin / password: ⟦fritz!9876⟧
WLAN-Passwort: ⟦Nachbar!2023⟧
Wifi: CabinGuest, pw: ⟦birkenwald12⟧
*Passwort:* ⟦birkenw4ld⟧
`password: ⟦birkenw4ld⟧`
<b>Password:</b> ⟦birkenw4ld⟧
| Service | Login | Passwort |⏎| --- | --- | --- |⏎| Mail | ana | ⟦br1efkasten⟧ |
| Root password | ⟦r00t&ast⟧ |
Service;User;Password⏎mail;ana;⟦br1efkasten⟧⏎wiki;ben;⟦f3derkiel⟧
Ana [10:31]: the db password: ⟦m4rgerite!⟧
ben> token: ⟦6f4922f45568161a8cdf4ad2299f6d23⟧
Password for the printer: ⟦t0ner&trommel⟧
Passphrase for the backup disk: ⟦window gravel orange thunder⟧
Recovery phrase: ⟦army van defense carry jealous true garbage claim echo media make crunch⟧
Mot de passe administrateur : ⟦fr0mage⟧
MDP: ⟦fr0mage77⟧
Contraseña de la wifi: ⟦quijot3⟧
Palavra-passe: ⟦baca1hau⟧
Пароль от вайфая: ⟦berez4ka⟧
Lösenord: ⟦sk0gsbär⟧
Heslo: ⟦vlt4va22⟧
Parola: ⟦m4rmellata⟧
Jelszó: ⟦pap1rka⟧
Şifre: ⟦kebap1234⟧
WiFi密码：⟦chengdu88⟧
登录密码: ⟦chengdu88⟧
API密钥：⟦8f14e45fceea167a5a36dedd4bea2543⟧
Wi-Fiパスワード: ⟦sakura77x⟧
관리자 비밀번호: ⟦kimchi99x⟧
كلمة المرور: ⟦qahwa2024⟧
סיסמה: ⟦falafel88⟧
Token: ⟦aab3238922bcc25a6f606eb525ffdc56⟧
Zugangstoken: ⟦9bf31c7ff062936a96d3c8bd1f8f2ff3⟧
"""

BLIND_KEPT = r"""
password_strength: 4-of-5
password.regex=^(?=.*[0-9]).{8,}$
PASSWORD_RESET_TIMEOUT = 259200s
MIN_PASSWORD_LENGTH=10chars
token_expires_in: 3600
token_endpoint: /oauth2/v2/token
token-lifetime: 15min2
tokenizer_config: llama3-v2.json
secret_manager: aws-eu-west-1
secrets_dir: conf/secrets2
secret_version: v17
api_key_name: default-key-2024
api-key-id: prod-key-nr-17
apiKeyPrefix: pk2
signing_key_algorithm: RS256
private_key_format: PKCS8
private_key = keys/server-2025.pem
auth_key_expiry: in-180-days-2026
KEY_FILE=./certs/site1.key
ssh_key: ~/.ssh/id_rsa2
encryption_key_source: kms-eu1
passwordless: true2
password_confirmation: matches1
pwd=/srv/app-2/current
PWD=D:\work\app2
password: null
password: none (key only)
password: TBD
password: xxxxxxxx
password: "••••••••"
password: your-password-here-1
password: [redacted]
password: %DB_PASSWORD%
password: ENV['DB_PASSWORD2']
password: process.env.DB_PASS2
password = os.getenv("DB_PASSWORD2")
password=$DB_PASSWORD2
Password: not set since 2024
Password: Ana knows it
Password: on the sticker under the router, 2nd line
Password: none, just press Enter
Password: 12 characters or more
Password: at least 8 letters
PassWort: siehe Zettel an der Tür 3
Passwort: frag Ben
Mot de passe : voir le carnet page 12
Contraseña: está en el cajón
Senha: perguntar ao João
Пароль: лежит в сейфе
密码：写在第3页
パスワード：山田さんに聞く
비밀번호: 서랍 안에 있음
echo "enter password:"; read -s pw2
read -p "Password: " pw
curl -u ana:$PASS https://example.org
psql --no-password -h db2
ssh-keygen -t ed25519 -N "" -f key2
openssl passwd -6 -salt xyz
token = next(tokens2)
token := lexer.NextToken2()
password.setText(input2.getText())
private String password;
let secret = generate_secret(32);
var token: String? = nil
TOKEN_RE = re.compile(r"\w+2")
for token in doc2:
type: password2factor
- password: string (required)
"required": ["user", "password2"]
<input type="password" name="pw2" id="password-2">
<label for="password">Password 2</label>
<password/>
| Parameter | Meaning |⏎|---|---|⏎| token | id of the session2 |
| password | text | 64 |
name,password_policy⏎nas,12chars⏎tv,8chars
registry.example.org/app:1.27@sha256:0cc175b9c0f1b6a831c399e269772661
oci://repo/app:2.4.1@sha256:0cc175b9c0f1b6a8
https://example.org:8443@beta2
mailto:ana@example.org?subject=token2
https://medium.example.org/@ana:2024
12:30 Ana@office: password reset done for 3 users
git clone ssh://git@host:2222/repo2.git
md5(password) = 5f4dcc3b5aa765d61d8327deb882cf99
SHA1 token da39a3ee5e6b4b0d3255bfef95601890afd80709 of the file
"token": "the", "count": 2
special token: [SEP] or </s2>
Bearer tokens expire after 15min.
Basic plan: 12EUR a month
Basic QmFzaWMgdGV4dA is shown as sample
The secret: start early, 7am or so.
Secret garden opens: 10am
our secret: we-drive-to-lake-7
Keynote: Room B12
Access key: F7 opens the menu
Passau: 2h10 by train
Passport: renew by 2027-03
password: hunter
Pass: yes
Token ring: IEEE802.5
Skeleton key: museum-room-4
AC: 230V50Hz
"""


# Put together here, so that no scanner of repositories takes them for real ones.
AWS = "AKIA" + "IOSFODNN7EXAMPLE"


GITHUB = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"


HEX = "a8f5f167f44f4964e6c998dee827110c"


BODY = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU"


_ENDS = [f"-----{end} OPENSSH PRIVATE KEY-----" for end in ("BEGIN", "END")]


KEY = f"{_ENDS[0]}\n{BODY}\nAAAAEbm9uZQAA\n{_ENDS[1]}"
