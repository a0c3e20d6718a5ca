/// The synthetic answers of feeds.md 2.5, and a few more in the shapes of 2.1–2.4.
enum RESTFixtures {
    static let bars =
        #"{"ticker":"SPY","adjusted":true,"queryCount":2,"resultsCount":2,"status":"OK","request_id":"6a7e466379af0a71039d60cc78e72282","results":[{"v":41011.0,"vw":672.4012,"o":672.39,"c":672.42,"h":672.5,"l":672.3,"t":1764086400000,"n":512},{"v":39877,"o":672.42,"c":672.51,"h":672.55,"l":672.4,"t":1764086460000}],"next_url":"https://api.massive.com/v2/aggs/ticker/SPY/range/1/minute/1764086520000/2025-11-25?cursor=bGltaXQ9Mg"}"#

    static let noBars =
        #"{"ticker":"SPY","adjusted":true,"queryCount":0,"resultsCount":0,"status":"OK","request_id":"b1"}"#

    static let indexBars =
        #"{"ticker":"I:SPX","queryCount":1,"resultsCount":1,"status":"DELAYED","request_id":"b2","results":[{"o":6723.5512345,"c":6724,"h":6724.1,"l":6722.9,"t":1764086400000}]}"#

    static let chain =
        #"{"status":"OK","request_id":"c1","results":[{"break_even_price":651.54,"day":{},"details":{"contract_type":"call","exercise_style":"american","expiration_date":"2025-12-19","shares_per_contract":100,"strike_price":650,"ticker":"O:SPY251219C00650000"},"greeks":{"delta":0.4413,"gamma":0.031,"theta":-0.41,"vega":0.19},"implied_volatility":0.1264,"last_quote":{"ask":1.55,"ask_size":24,"bid":1.53,"bid_size":17,"last_updated":1764086400123456789,"midpoint":1.54,"timeframe":"REAL-TIME"},"open_interest":4100,"underlying_asset":{"change_to_break_even":2.62,"price":648.92,"ticker":"SPY","timeframe":"REAL-TIME"}},{"break_even_price":0,"day":{},"details":{"contract_type":"put","exercise_style":"european","expiration_date":"2025-11-25","shares_per_contract":100,"strike_price":6500,"ticker":"O:SPXW251125P06500000"},"open_interest":12,"underlying_asset":{"ticker":"I:SPX","value":6723.55}}]}"#

    static let holidays =
        #"[{"date":"2025-11-27","exchange":"NYSE","name":"Thanksgiving","status":"closed"},{"close":"2025-11-28T18:00:00.000Z","date":"2025-11-28","exchange":"NASDAQ","name":"Thanksgiving","open":"2025-11-28T14:30:00.000Z","status":"early-close"}]"#

    static let now =
        #"{"afterHours":false,"currencies":{"crypto":"open","fx":"open"},"earlyHours":true,"exchanges":{"nasdaq":"extended-hours","nyse":"extended-hours","otc":"closed"},"market":"extended-hours","serverTime":"2025-11-25T08:37:37-05:00"}"#

    static let lastQuote =
        #"{"request_id":"q1","status":"OK","results":{"T":"SPY","p":672.415,"s":200,"x":12,"P":672.42,"S":"100","X":8,"t":1764086400123456789,"y":1764086400123000000,"q":83480742,"c":[1],"i":[604],"z":1}}"#

    static let conditions =
        #"{"status":"OK","request_id":"d1","count":5,"results":[{"id":2,"type":"sale_condition","name":"Average Price Trade","asset_class":"stocks","sip_mapping":{"CTA":"B","UTP":"W"},"update_rules":{"consolidated":{"updates_high_low":false,"updates_open_close":false,"updates_volume":true},"market_center":{"updates_high_low":false,"updates_open_close":false,"updates_volume":true}},"data_types":["trade"]},{"id":37,"type":"sale_condition","name":"Odd Lot Trade","asset_class":"stocks","update_rules":{"consolidated":{"updates_high_low":true,"updates_open_close":false,"updates_volume":true}},"data_types":["trade"]},{"id":12,"name":"Form T","asset_class":"stocks","update_rules":{"consolidated":{"updates_high_low":false,"updates_open_close":false,"updates_volume":true}},"data_types":["trade"]},{"id":62,"type":"financial_status","name":"Bankrupt","asset_class":"stocks","data_types":["trade"],"legacy":true},{"id":604,"name":"Indicator","asset_class":"stocks","update_rules":{"consolidated":{"updates_high_low":false,"updates_open_close":false,"updates_volume":false}},"data_types":["nbbo"]}]}"#

    static let exchanges =
        #"{"status":"OK","request_id":"e1","count":2,"results":[{"id":4,"type":"TRF","asset_class":"stocks","locale":"us","name":"FINRA ADF","mic":"XADF","operating_mic":"FINR","participant_id":"D"},{"id":316,"type":"exchange","asset_class":"options","locale":"us","name":"Nasdaq Options Market","acronym":"NOM"}]}"#

    static let indices =
        #"{"status":"OK","request_id":"f1","results":[{"ticker":"I:SPX","value":6723.55,"last_updated":1764086400123456789,"timeframe":"DELAYED","session":{"open":6700.1,"high":6730,"low":6695.25,"close":6723.55,"previous_close":6705.12,"change":18.43}},{"ticker":"I:NOPE","error":"NOT_FOUND","message":"Ticker not found."}]}"#

    static let notAuthorized =
        #"{"status":"NOT_AUTHORIZED","request_id":"x","message":"You are not entitled to this data. Please upgrade your plan."}"#

    static let error = #"{"status":"ERROR","request_id":"y","error":"Unknown API Key"}"#

    static let plainNotFound = "404 page not found\n"

    static let json = [
        bars, noBars, indexBars, chain, holidays, now, lastQuote, conditions, exchanges, indices, notAuthorized, error,
    ]
}
